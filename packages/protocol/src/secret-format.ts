/**
 * The text form of every secret that Keyfold issues: `<prefix>_<43 base62><6 base62>`, where the 43 characters are 32
 * random bytes as one big-endian integer and the 6 are CRC-32 (IEEE 802.3) of all before them. The checksum catches
 * typing errors and makes scanners precise; it protects nothing.
 */

/** What a secret is for: the three kinds of key, or a signing secret. */
export type SecretKind = 'live' | 'test' | 'admin' | 'sig';
export type KeyKind = Exclude<SecretKind, 'sig'>;

export const KEY_KINDS = ['live', 'test', 'admin'] as const satisfies readonly KeyKind[];
export const SECRET_BYTES = 32;

/** Finds secrets in running text. Check a match with {@link parseSecret}: the checksum tells a key from a look-alike. */
export const SECRET_PATTERN = /\bkf_(live|test|admin|sig)_[0-9A-Za-z]{49}\b/g;

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const BODY_CHARACTERS = 43;
const CHECKSUM_CHARACTERS = 6;
const SHAPE = /^kf_(live|test|admin|sig)_[0-9A-Za-z]{49}$/;

/** Renders 32 random bytes. Example: 32 × 0x11, `live` → `kf_live_42un7GJ8wIAbHDnhePy2Mqo9gkXYFS7sXjeCn1f4haT0f9OAG`. */
export function formatSecret(kind: SecretKind, randomBytes: Uint8Array): string {
  if (randomBytes.length !== SECRET_BYTES) throw new RangeError(`a secret is made of ${SECRET_BYTES} bytes`);
  let integer = 0n;
  for (const byte of randomBytes) integer = (integer << 8n) | BigInt(byte);
  const unchecked = `kf_${kind}_${toBase62(integer, BODY_CHARACTERS)}`;
  return unchecked + checksumOf(unchecked);
}

/** Tells the kind of a well-formed secret whose checksum holds, else `undefined`. Touches no storage. */
export function parseSecret(text: string): SecretKind | undefined {
  const match = SHAPE.exec(text);
  if (match === null) return undefined;
  const border = text.length - CHECKSUM_CHARACTERS;
  if (checksumOf(text.slice(0, border)) !== text.slice(border)) return undefined;
  return match[1] as SecretKind;
}

/** What may be shown and stored of a secret: prefix, first four and last four characters, `kf_live_42un…9OAG`. */
export function displaySecret(secret: string): string {
  const body = secret.lastIndexOf('_') + 1;
  return `${secret.slice(0, body + 4)}…${secret.slice(-4)}`;
}

function checksumOf(text: string): string {
  return toBase62Number(crc32(text), CHECKSUM_CHARACTERS);
}

function toBase62(integer: bigint, length: number): string {
  let text = '';
  for (let rest = integer; rest > 0n; rest /= 62n) text = ALPHABET.charAt(Number(rest % 62n)) + text;
  return text.padStart(length, '0');
}

function toBase62Number(integer: number, length: number): string {
  let text = '';
  for (let rest = integer; rest > 0; rest = Math.floor(rest / 62)) text = ALPHABET.charAt(rest % 62) + text;
  return text.padStart(length, '0');
}

const CRC_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte;
  for (let bit = 0; bit < 8; bit++)
    remainder = remainder & 1 ? 0xed_b8_83_20 ^ (remainder >>> 1) : remainder >>> 1;
  return remainder;
});

/** CRC-32 (IEEE, reflected) of ASCII text, as an unsigned 32-bit integer. */
function crc32(text: string): number {
  let crc = 0xff_ff_ff_ff;
  for (let index = 0; index < text.length; index++) {
    crc = (CRC_TABLE[(crc ^ text.charCodeAt(index)) & 0xff] ?? 0) ^ (crc >>> 8);
  }
  return (crc ^ 0xff_ff_ff_ff) >>> 0;
}
