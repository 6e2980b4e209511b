/** The `Content-Digest` header (RFC 9530): a hash of the body's raw bytes that a signature can cover. */
import { parseByteSequences, renderBareItem } from './structured-fields.ts';

/** The digests by algorithm, in the order sent; which of them may be trusted is the caller's to say. */
export function parseContentDigest(header: string): ReadonlyMap<string, Uint8Array> | undefined {
  return parseByteSequences(header);
}

/** Example: `sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:`, for an empty body. */
export function renderContentDigest(sha256: Uint8Array): string {
  return `sha-256=${renderBareItem(sha256)}`;
}
