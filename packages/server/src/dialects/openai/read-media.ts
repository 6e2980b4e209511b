/** Responsible for the images, recordings and documents of a request: their addresses and their base64, checked. */
import type { Source } from '../chat.ts';
import type { ObjectReader } from '../reading.ts';

/** What an image may hold, decoded. */
export const IMAGE_BYTES_MAX = 20 * 1024 * 1024;

export const IMAGE_TYPES: readonly string[] = ['image/png', 'image/jpeg', 'image/gif', 'image/webp'];

type DataSource = Extract<Source, { readonly kind: 'data' }>;

/** An image's `data:` URL, or where it is. */
export function readImageUrl(reader: ObjectReader, name: string): Source | undefined {
  const url = reader.requiredText(name);
  if (url.startsWith('https://') && URL.canParse(url)) return { kind: 'url', url };
  const source = parseDataUrl(url);
  if (source === undefined) return reader.invalid(name, "must be an https address or a base64 'data:' URL");
  if (!IMAGE_TYPES.includes(source.mediaType)) {
    return reader.invalid(name, `must hold one of ${IMAGE_TYPES.join(', ')}`);
  }
  if (decodedBytes(source.base64) > IMAGE_BYTES_MAX) {
    return reader.invalid(name, `must hold at most ${IMAGE_BYTES_MAX} bytes`);
  }
  return source;
}

/** A document's `data:` URL: without one nobody says of what type it is. */
export function readFileData(reader: ObjectReader, name: string): DataSource | undefined {
  return parseDataUrl(reader.requiredText(name)) ?? reader.invalid(name, "must be a base64 'data:' URL");
}

export function readBase64(reader: ObjectReader, name: string): string {
  const base64 = reader.requiredText(name);
  if (!isBase64(base64)) reader.invalid(name, 'must be base64');
  return base64;
}

function parseDataUrl(url: string): DataSource | undefined {
  const comma = url.indexOf(',');
  if (!url.startsWith('data:') || comma === -1) return undefined;
  const description = url.slice('data:'.length, comma).toLowerCase();
  const base64 = url.slice(comma + 1);
  const mediaType = description.slice(0, -BASE64_MARK.length);
  if (!description.endsWith(BASE64_MARK) || mediaType === '' || !isBase64(base64)) return undefined;
  return { kind: 'data', mediaType, base64 };
}

const BASE64_MARK = ';base64';

/** Looks for what does not belong, since to match millions of characters in one go is more than the engine can do. */
function isBase64(text: string): boolean {
  const digits = text.slice(0, text.length - paddingLength(text));
  return digits !== '' && text.length % 4 === 0 && !/[^A-Za-z0-9+/]/.test(digits);
}

function decodedBytes(base64: string): number {
  return (base64.length / 4) * 3 - paddingLength(base64);
}

function paddingLength(base64: string): number {
  if (base64.endsWith('==')) return 2;
  return base64.endsWith('=') ? 1 : 0;
}
