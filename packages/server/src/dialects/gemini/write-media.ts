/**
 * Responsible for writing media as Gemini takes them: bytes as `inlineData`, and as `fileData` the address of what it
 * fetches by itself (ai.google.dev/gemini-api/docs/file-input-methods).
 */
import type { AudioPart, FilePart, ImagePart, JsonObject, Source } from '../chat.ts';
import type { Reading } from '../reading.ts';

type MediaPart = ImagePart | AudioPart | FilePart;

export function writeMedia(part: MediaPart, reading: Reading): JsonObject {
  const { source, at } = part;
  checkKind(part, reading);
  if (source.kind === 'data') return writeBytes(part, source);
  const { url, mediaType } = source;
  if (mediaType === undefined) {
    reading.unsupported(at, 'is an address that does not say its media type, which Gemini must be told');
  } else if (!URL_TYPES.has(mediaType) || !url.startsWith('https://')) {
    reading.unsupported(at, 'is an address that Gemini does not fetch; send its bytes');
  }
  return { fileData: { mimeType: mediaType ?? '', fileUri: url, ...nameOf(part) } };
}

/** Media that a function gave, of which Gemini takes the bytes alone. */
export function writeResultMedia(part: MediaPart, reading: Reading): JsonObject {
  checkKind(part, reading);
  if (part.source.kind === 'data') return writeBytes(part, part.source);
  reading.unsupported(part.at, 'is an address in the result of a call, where Gemini takes bytes');
  return {};
}

function writeBytes(part: MediaPart, { mediaType, base64 }: Extract<Source, { kind: 'data' }>): JsonObject {
  return { inlineData: { mimeType: mediaType, data: base64, ...nameOf(part) } };
}

function nameOf(part: MediaPart): JsonObject {
  return part.kind === 'file' && part.name !== undefined ? { displayName: part.name } : {};
}

function checkKind(part: MediaPart, reading: Reading): void {
  const { mediaType } = part.source;
  if (mediaType !== undefined && !isTaken(part.kind, mediaType)) {
    reading.unsupported(part.at, `is of the type '${mediaType}', which Gemini does not take`);
  }
  if (part.kind === 'image' && (part.detail === 'low' || part.detail === 'high')) {
    reading.unsupported(
      part.at,
      'asks for a level of detail, which has no equivalent at the provider of this model',
    );
  }
}

function isTaken(kind: MediaPart['kind'], mediaType: string): boolean {
  return kind === 'audio' ? mediaType.startsWith('audio/') : TYPES[kind].has(mediaType);
}

/** Of the images that other vendors take, GIF is not among Gemini's. */
const TYPES = {
  image: new Set(['image/png', 'image/jpeg', 'image/webp', 'image/heic', 'image/heif']),
  file: new Set(['application/pdf', 'text/plain']),
};
const URL_TYPES: ReadonlySet<string> = new Set([
  'image/png',
  'image/jpeg',
  'image/webp',
  'application/pdf',
  'text/plain',
]);
