/** Base64 (RFC 4648 section 4) of short byte strings, with padding, in one spelling only. */

/** Padded, without white space, and with the unused bits of the last character zero: each byte string has one text. */
const CANONICAL = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/;

export function encodeBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(''));
}

/** `undefined` for anything but the one text that {@link encodeBase64} gives. */
export function decodeBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  if (!CANONICAL.test(text)) return undefined;
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
