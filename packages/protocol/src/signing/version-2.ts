/** The text that a version 2 signature covers: eleven lines, each a part of the request as it goes over the wire. */

const SCHEME = 'KF2-HMAC-SHA256';

/** Parts that a request has not are empty strings. */
export interface SignedRequestV2 {
  readonly keyId: string;
  /** Unix seconds. */
  readonly timestamp: string;
  readonly nonce: string;
  readonly method: string;
  /** With the port where the `Host` header has one; in any case. */
  readonly host: string;
  /** Raw, not decoded. */
  readonly path: string;
  /** Raw, without the `?`. */
  readonly query: string;
  readonly contentType: string;
  readonly idempotencyKey: string;
  /** Of the raw body, empty or not; lower-case hex. */
  readonly bodySha256: string;
}

/** `undefined` when a part holds a CR, LF or NUL: eleven lines stay eleven, so no two requests have the same text. */
export function signedTextV2(request: SignedRequestV2): string | undefined {
  const lines = [
    SCHEME,
    request.keyId,
    request.timestamp,
    request.nonce,
    request.method,
    request.host.toLowerCase(),
    request.path,
    request.query,
    request.contentType,
    request.idempotencyKey,
    request.bodySha256,
  ];
  return lines.some(breaksLine) ? undefined : lines.join('\n');
}

function breaksLine(part: string): boolean {
  return part.includes('\n') || part.includes('\r') || part.includes('\0');
}
