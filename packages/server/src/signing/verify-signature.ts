/** Does a signature hold over the bytes that arrived? For every scheme and algorithm; nothing else is judged here. */
import { type KeyObject, createHmac, hash, timingSafeEqual, verify } from 'node:crypto';
import {
  parseContentDigest,
  requiredComponents,
  signatureBase,
  signedPrefixV1,
  signedTextV2,
  type SigningAlgorithm,
} from '@keyfold/protocol';
import type { PresentedRequest } from './presented.ts';
import type { HmacSignature, HttpSignature, Signature } from './read-signature.ts';

/** What one live signing secret, or public key, verifies with. */
export interface Verifier {
  readonly id: string;
  readonly algorithm: SigningAlgorithm;
  readonly key: KeyObject;
}

export interface SignedRequest {
  readonly request: PresentedRequest;
  readonly signature: Signature;
  readonly body: Buffer;
}

const OPENING_BRACE = 0x7b;

/** The verifier under which the signature holds, or what is wrong. */
export function verifySignature(signed: SignedRequest, verifiers: readonly Verifier[]): Verifier | string {
  const { signature } = signed;
  return signature.version === 'rfc9421'
    ? verifyHttpSignature({ ...signed, signature }, verifiers)
    : verifyMacs({ ...signed, signature }, verifiers);
}

function verifyMacs(
  signed: SignedRequest & { readonly signature: HmacSignature },
  verifiers: readonly Verifier[],
): Verifier | string {
  const text = signed.signature.version === '1' ? signedBytesV1(signed) : signedLinesV2(signed);
  if (text === undefined) return 'cannot be signed';
  const holding = verifiers.find(({ algorithm, key }) => {
    if (algorithm !== 'hmac-sha256') return false;
    const expected = createHmac('sha256', key).update(text).digest();
    return signed.signature.macs.some((mac) => timingSafeEqual(mac, expected));
  });
  return holding ?? 'signature does not hold';
}

/** Only an empty body or an object: else the end of the nonce and the beginning of the body could be told apart in two ways. */
function signedBytesV1({
  request,
  signature,
  body,
}: SignedRequest & { readonly signature: HmacSignature }): Buffer | undefined {
  if (body.length > 0 && body[0] !== OPENING_BRACE) return undefined;
  const { timestamp, nonce } = signature;
  return Buffer.concat([Buffer.from(signedPrefixV1({ key: request.secret ?? '', timestamp, nonce })), body]);
}

function signedLinesV2({
  request,
  signature,
  body,
}: SignedRequest & { readonly signature: HmacSignature }): string | undefined {
  return signedTextV2({
    keyId: signature.keyId ?? '',
    timestamp: signature.timestamp,
    nonce: signature.nonce,
    method: request.method,
    host: request.header('host') ?? '',
    path: request.path,
    query: request.query,
    contentType: request.header('content-type') ?? '',
    idempotencyKey: request.header('idempotency-key') ?? '',
    bodySha256: hash('sha256', body),
  });
}

function verifyHttpSignature(
  { request, signature, body }: SignedRequest & { readonly signature: HttpSignature },
  verifiers: readonly Verifier[],
): Verifier | string {
  const { input } = signature;
  if (!coversEnough(input.components, request)) return 'does not cover what it must';
  if (!digestHolds(request.header('content-digest'), body)) return 'content digest does not hold';
  const base = signatureBase(input, {
    method: request.method,
    authority: request.header('host') ?? '',
    path: request.path,
    query: request.query,
    header: (name) => request.header(name),
  });
  if (base === undefined) return 'cannot be signed';
  const holding = verifiers.find(
    (verifier) =>
      (input.alg === undefined || input.alg === verifier.algorithm) &&
      holds(verifier, base, signature.signature),
  );
  return holding ?? 'signature does not hold';
}

function coversEnough(components: HttpSignature['input']['components'], request: PresentedRequest): boolean {
  const required = requiredComponents({
    hasContentType: request.header('content-type') !== undefined,
    hasIdempotencyKey: request.header('idempotency-key') !== undefined,
  });
  const covered = new Set(
    components.filter(({ parameters }) => parameters.size === 0).map(({ name }) => name),
  );
  return required.every((name) => covered.has(name));
}

/** RFC 9530: the digest is signed, so the body is what was signed if it has this digest. */
function digestHolds(header: string | undefined, body: Buffer): boolean {
  const digest = parseContentDigest(header ?? '')?.get('sha-256');
  return digest !== undefined && equals(hash('sha256', body, 'buffer'), digest);
}

function holds({ algorithm, key }: Verifier, base: string, signature: Uint8Array): boolean {
  const bytes = Buffer.from(base, 'utf8');
  if (algorithm === 'ed25519') return verify(undefined, bytes, key, signature);
  return equals(createHmac('sha256', key).update(bytes).digest(), signature);
}

function equals(expected: Buffer, given: Uint8Array): boolean {
  return expected.length === given.length && timingSafeEqual(expected, given);
}
