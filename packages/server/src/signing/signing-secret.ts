/** What a key's requests are signed with: a secret that is shared, or a public key whose private half never comes here. */
import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import type { Id, SigningAlgorithm } from '@keyfold/protocol';

export interface SigningSecret {
  readonly id: Id<'signingSecret'>;
  readonly keyId: Id<'key'>;
  readonly version: number;
  readonly algorithm: SigningAlgorithm;
  readonly display: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | undefined;
}

export interface CountedSigningSecret extends SigningSecret {
  readonly uses: number;
  readonly lastUsedAtMs: number | undefined;
}

const PUBLIC_KEY_BYTES = 32;
const PUBLIC_KEY = /^[A-Za-z0-9+/_-]{43}=?$/;

/** An Ed25519 public key from its 32 bytes in base64 or base64url (RFC 8032); `undefined` for anything else. */
export function readPublicKey(text: string): Buffer | undefined {
  if (!PUBLIC_KEY.test(text)) return undefined;
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== PUBLIC_KEY_BYTES) return undefined;
  try {
    importPublicKey(bytes);
    return bytes;
  } catch {
    return undefined;
  }
}

export function importPublicKey(bytes: Buffer): KeyObject {
  return createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') },
    format: 'jwk',
  });
}

/** The MAC's key is the secret's own text, as clients that only know the text compute it. */
export function importSecret(text: Buffer): KeyObject {
  return createSecretKey(text);
}
