/** The rules that hold for signatures of every scheme: shapes, times, names. */

/** Unix seconds, ten digits: no sign, no fraction, no leading zeros until the year 2286. */
export const TIMESTAMP = /^[0-9]{10}$/;
export const NONCE = /^[A-Za-z0-9_-]{16,64}$/;
/** One HMAC-SHA256, as versions 1 and 2 send it. */
export const SIGNATURE_HEX = /^[0-9a-f]{64}$/;

/** How far a signature's time may lie behind and ahead of the server's clock, in seconds. RFC 9421 follows version 2. */
export const SIGNATURE_WINDOWS_S = {
  version1: { past: 300, future: 300 },
  version2: { past: 300, future: 60 },
} as const;

/** How long a nonce is remembered: longer than the widest window from end to end, so that none is accepted twice. */
export const NONCE_LIFE_S = 660;

export const SIGNING_VERSIONS = ['1', '2', 'rfc9421'] as const;
export type SigningVersion = (typeof SIGNING_VERSIONS)[number];

/** By the names that RFC 9421 gives them. Which one holds is fixed by the key's record, never by the message. */
export const SIGNING_ALGORITHMS = ['hmac-sha256', 'ed25519'] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** The `tag` that tells Keyfold's RFC 9421 signatures from those of others on the same message. */
export const SIGNATURE_TAG = 'keyfold';
