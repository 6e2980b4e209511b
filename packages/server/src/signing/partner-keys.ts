/**
 * Reports of leaked keys as GitHub's secret scanning sends them to partners: ECDSA over P-256 with SHA-256, in DER and
 * base64, over the raw body, by a key whose identifier the request names
 * (docs.github.com, "Secret scanning partner program").
 */
import { type KeyObject, createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describeError } from '../kernel/fault.ts';

export const PARTNER_HEADERS = {
  key: 'github-public-key-identifier',
  signature: 'github-public-key-signature',
} as const;

const CURVE = 'prime256v1';
const BASE64 = /^[A-Za-z0-9+/]{1,200}={0,2}$/;

export class PartnerKeys {
  readonly #keys: ReadonlyMap<string, KeyObject>;

  constructor(keys: ReadonlyMap<string, KeyObject>) {
    this.#keys = keys;
  }

  knows(keyId: string | undefined): boolean {
    return this.#keys.has(keyId ?? '');
  }

  holds(message: {
    readonly body: Buffer;
    readonly keyId: string | undefined;
    readonly signature: string | undefined;
  }): boolean {
    const key = this.#keys.get(message.keyId ?? '');
    if (key === undefined || message.signature === undefined || !BASE64.test(message.signature)) return false;
    return verify('sha256', message.body, key, Buffer.from(message.signature, 'base64'));
  }
}

interface PublishedKeys {
  readonly public_keys?: readonly { readonly key_identifier?: unknown; readonly key?: unknown }[];
}

/** Reads the list that the partner publishes, `{"public_keys": [{"key_identifier", "key": PEM}]}`. Throws with what to do. */
export function readPartnerKeys(file: string | undefined): PartnerKeys {
  if (file === undefined) return new PartnerKeys(new Map());
  try {
    const { public_keys: listed } = JSON.parse(readFileSync(file, 'utf8')) as PublishedKeys;
    if (!Array.isArray(listed) || listed.length === 0) throw new Error("it has no 'public_keys'");
    return new PartnerKeys(new Map(listed.map((each) => readKey(each as Record<string, unknown>))));
  } catch (error) {
    throw new Error(`${file} is not a list of partner keys: ${describeError(error)}`, { cause: error });
  }
}

function readKey(listed: Record<string, unknown>): [string, KeyObject] {
  const { key_identifier: id, key: pem } = listed;
  if (typeof id !== 'string' || typeof pem !== 'string') {
    throw new Error("each entry needs 'key_identifier' and 'key'");
  }
  const key = createPublicKey(pem);
  if (key.asymmetricKeyDetails?.namedCurve !== CURVE) throw new Error(`${id} is not a key on P-256`);
  return [id, key];
}
