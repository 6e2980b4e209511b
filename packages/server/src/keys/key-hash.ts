/** How a key is stored and found: `HMAC-SHA256(pepper, "keyfold/key-hash/v1\0" ‖ key)`, base64url (security.md 2). */
import { createHmac, type KeyObject } from 'node:crypto';
import type { RootKey } from '../sealing/root-key.ts';

const DOMAIN = 'keyfold/key-hash/v1\0';

/** The pepper lives outside the database: a thief of the database can neither confirm nor mint a key. */
export class KeyHasher {
  /** Stored with every hash, so that a second pepper can be active during its rotation. */
  readonly pepperVersion = 1;
  readonly #pepper: KeyObject;

  constructor(rootKey: RootKey) {
    this.#pepper = rootKey.derive('pepper');
  }

  hash(key: string): string {
    return createHmac('sha256', this.#pepper).update(DOMAIN).update(key).digest('base64url');
  }
}
