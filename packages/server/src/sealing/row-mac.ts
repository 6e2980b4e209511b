/** Authenticates rows that grant something (keys, limits, budgets): one edited behind the server's back is noticed and denies. */
import { createHmac, timingSafeEqual, type KeyObject } from 'node:crypto';
import type { RootKey } from './root-key.ts';

export type MacField = string | number | bigint | null;

export class RowMac {
  readonly #key: KeyObject;

  constructor(rootKey: RootKey) {
    this.#key = rootKey.derive('row-mac');
  }

  /** HMAC-SHA256 over the table's name and the fields in the caller's fixed order, base64url. */
  sign(table: string, fields: readonly MacField[]): string {
    const text = JSON.stringify([table, ...fields.map((field) => (field === null ? null : String(field)))]);
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }

  holds(table: string, row: { readonly fields: readonly MacField[]; readonly mac: string }): boolean {
    const expected = Buffer.from(this.sign(table, row.fields), 'utf8');
    const given = Buffer.from(row.mac, 'utf8');
    return expected.length === given.length && timingSafeEqual(expected, given);
  }
}
