/** The text that a version 1 signature covers: `HMAC-SHA256(signing secret, key + timestamp + nonce + body)`. */

export interface SignedPrefixV1 {
  readonly key: string;
  readonly timestamp: string;
  readonly nonce: string;
}

/**
 * What stands before the body's raw bytes in the MAC. Nothing separates the parts, so two different requests can have
 * one MAC: a verifier holds each part to its exact shape and refuses replays by the MAC as well as by the nonce.
 */
export function signedPrefixV1({ key, timestamp, nonce }: SignedPrefixV1): string {
  return key + timestamp + nonce;
}
