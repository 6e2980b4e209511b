/** Reads the headers of a signature, strictly: one scheme, every part once and in its exact form (security.md 4). */
import {
  NONCE,
  SIGNATURE_HEX,
  SIGNATURE_TAG,
  SIGNATURE_WINDOWS_S,
  type SignatureInput,
  type SigningVersion,
  TIMESTAMP,
  parseSignature,
  parseSignatureInput,
} from '@keyfold/protocol';
import { Denial, type DenialSubject } from '../kernel/denial.ts';
import { type Key, subjectOf } from '../keys/key.ts';
import type { PresentedRequest } from './presented.ts';

interface SignatureFacts {
  readonly version: SigningVersion;
  /** Absent in version 1, which sends the key itself. */
  readonly keyId: string | undefined;
  /** Unix seconds. */
  readonly timeS: number;
  readonly nonce: string;
  /** Unix seconds; absent: as long as the window allows. */
  readonly endS?: number | undefined;
  /** How far from the server's clock `timeS` may be. */
  readonly windowS: { readonly past: number; readonly future: number };
}

export interface HmacSignature extends SignatureFacts {
  readonly version: '1' | '2';
  /** As it was signed. */
  readonly timestamp: string;
  /** One, or two while a signing secret is rotated. */
  readonly macs: readonly Buffer[];
}

export interface HttpSignature extends SignatureFacts {
  readonly version: 'rfc9421';
  readonly input: SignatureInput;
  readonly signature: Uint8Array;
}

export type Signature = HmacSignature | HttpSignature;

const MACS_MAX = { '1': 1, '2': 2 } as const;

/** `undefined`: the request is not signed. */
export function readSignature(request: PresentedRequest): Signature | undefined | Denial {
  const { signature: headers } = request;
  if (headers === undefined) return undefined;
  const isHttp = headers.has('signature') || headers.has('signature-input');
  if (!isHttp) return readHmacSignature(request, headers);
  if ([...headers.keys()].some((name) => name.startsWith('x-'))) return refuseSignature('several schemes');
  return readHttpSignature(request, headers);
}

/** What every failure of a signature looks like from outside; the reason is for the audit log alone. */
export function refuseSignature(reason: string, subject?: DenialSubject): Denial {
  return new Denial('invalid_signature', { reason, subject });
}

/** A request that was accepted before: its very bytes, or its nonce. */
export function replayed(key: Key): Denial {
  return refuseSignature('replayed', subjectOf(key));
}

function readHmacSignature(
  { secret }: PresentedRequest,
  headers: ReadonlyMap<string, string>,
): HmacSignature | Denial {
  const version = headers.get('x-signature-version') ?? '1';
  if (version !== '1' && version !== '2') return refuseSignature('unknown version');
  const keyId = headers.get('x-key-id');
  if (version === '1' && keyId !== undefined) return refuseSignature('version 1 with a key id');
  if (version === '2' && keyId === undefined) return refuseSignature('no key id');
  if (version === '2' && secret !== undefined) return refuseSignature('signed, and a key sent along');
  const timestamp = headers.get('x-timestamp') ?? '';
  if (!TIMESTAMP.test(timestamp)) return refuseSignature('malformed timestamp');
  const nonce = headers.get('x-nonce') ?? '';
  if (!NONCE.test(nonce)) return refuseSignature('malformed nonce');
  const texts = (headers.get('x-signature') ?? '').split(' ');
  if (texts.length > MACS_MAX[version] || !texts.every((text) => SIGNATURE_HEX.test(text))) {
    return refuseSignature('malformed signature');
  }
  return {
    version,
    keyId,
    timestamp,
    timeS: Number(timestamp),
    nonce,
    macs: texts.map((text) => Buffer.from(text, 'hex')),
    windowS: version === '1' ? SIGNATURE_WINDOWS_S.version1 : SIGNATURE_WINDOWS_S.version2,
  };
}

function readHttpSignature(
  { secret }: PresentedRequest,
  headers: ReadonlyMap<string, string>,
): HttpSignature | Denial {
  if (secret !== undefined) return refuseSignature('signed, and a key sent along');
  const inputs = parseSignatureInput(headers.get('signature-input') ?? '');
  const signatures = parseSignature(headers.get('signature') ?? '');
  if (inputs === undefined || signatures === undefined) return refuseSignature('malformed signature');
  // Others may have signed what is signed for Keyfold; the one that is for Keyfold says so.
  const [input, ...more] = inputs.filter(({ tag }) => tag === SIGNATURE_TAG);
  if (input === undefined || more.length > 0) return refuseSignature('not one signature with the tag');
  const signature = signatures.get(input.label);
  const { created, nonce, keyid: keyId } = input;
  if (signature === undefined || created === undefined || nonce === undefined || keyId === undefined) {
    return refuseSignature('incomplete signature');
  }
  if (!NONCE.test(nonce)) return refuseSignature('malformed nonce');
  return {
    version: 'rfc9421',
    keyId,
    timeS: created,
    endS: input.expires,
    nonce,
    input,
    signature,
    windowS: SIGNATURE_WINDOWS_S.version2,
  };
}
