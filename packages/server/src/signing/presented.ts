/** What a request presents to prove who sent it: its head, read once and strictly by `http/`. */

export interface PresentedRequest {
  /** The key from the one header that may hold it. */
  readonly secret: string | undefined;
  /** The headers of a signature, by lower-case name; absent when there is none. */
  readonly signature: ReadonlyMap<string, string> | undefined;
  readonly method: string;
  /** As on the wire. */
  readonly path: string;
  /** As on the wire, without its `?`. */
  readonly query: string;
  /** Any other header by its lower-case name; those that a signature may cover occur once. */
  header(name: string): string | undefined;
}

/** Whichever of these a request carries, it is signed, and is verified. */
export const SIGNATURE_HEADERS = [
  'x-signature-version',
  'x-key-id',
  'x-timestamp',
  'x-nonce',
  'x-signature',
  'signature-input',
  'signature',
] as const;
