/** Tells model calls apart without keeping them: a prompt may hold a secret that could be guessed from a plain hash. */
import { type Hash, createHash } from 'node:crypto';
import type { Form } from '../kernel/multipart.ts';
import type { RowMac } from '../sealing/row-mac.ts';

export interface FingerprintedCall {
  /** As on the wire. */
  readonly path: string;
  readonly query: string;
  readonly body: Buffer;
  /** Where the body is one. */
  readonly form?: Form | undefined;
}

/** Two calls have the same one only if they ask for the same, byte for byte; of a form its boundary does not count. */
export function fingerprintCall(mac: RowMac, { path, query, body, form }: FingerprintedCall): string {
  const digest = createHash('sha256');
  if (form === undefined) digest.update(body);
  else hashForm(digest, form);
  return mac.sign('idempotent_calls', [path, query, digest.digest('base64url')]);
}

/** Clients draw a boundary at random each time that they send: only the parts are what was said. */
function hashForm(digest: Hash, { body, parts }: Form): void {
  for (const { start, contentStart, contentEnd } of parts) {
    const lengths = Buffer.alloc(8);
    lengths.writeUInt32BE(contentStart - start, 0);
    lengths.writeUInt32BE(contentEnd - contentStart, 4);
    digest.update(lengths).update(body.subarray(start, contentEnd));
  }
}
