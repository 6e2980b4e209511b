/** What stands in the audit log for a secret: a keyed hash, by which whoever has the secret and the root key can find it. */
import { createHmac, type KeyObject } from 'node:crypto';
import type { RootKey } from './root-key.ts';

export class AuditMac {
  readonly #key: KeyObject;

  constructor(rootKey: RootKey) {
    this.#key = rootKey.derive('audit-mac');
  }

  /** `hmac:` and 43 characters of base64url. */
  of(secret: string): string {
    return `hmac:${createHmac('sha256', this.#key).update(secret).digest('base64url')}`;
  }
}
