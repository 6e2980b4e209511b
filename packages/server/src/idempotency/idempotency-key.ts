/** The `Idempotency-Key` header, as both planes read it, and how long what was done under one is remembered. */
import { Denial } from '../kernel/denial.ts';

export const IDEMPOTENCY_LIFE_MS = 24 * 3_600_000;

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** `undefined` where there is no header. One that was sent twice never comes so far: `http/check-head` refuses it. */
export function readIdempotencyKey(header: string | undefined): string | undefined | Denial {
  if (header === undefined || IDEMPOTENCY_KEY.test(header)) return header;
  return new Denial('invalid_request', {
    message: 'An Idempotency-Key has 1 to 255 visible ASCII characters.',
    param: 'idempotency-key',
  });
}

/** The same key came with another request. */
export function idempotencyMismatch(): Denial {
  return new Denial('idempotency_mismatch', {
    message: 'This Idempotency-Key was used for another request.',
  });
}
