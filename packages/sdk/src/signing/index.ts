/** Requests signed so that a stolen or recorded one is of no use: as a `fetch`, or as headers for another client. */
export { ClockCorrection } from './clock-correction.ts';
export type { Supplied, SigningCredentials } from './credentials.ts';
export { SIGNED_BODY_BYTES_MAX } from './read-request.ts';
export { type RequestParts, type SignOptions, signRequest } from './sign-request.ts';
export { type SignedFetchOptions, signedFetch } from './signed-fetch.ts';
