/** Responsible for the images and documents of a request to Anthropic. */
import { isUtf8 } from 'node:buffer';
import type { FilePart, ImagePart } from '../chat.ts';
import type { Reading } from '../reading.ts';
import { IMAGE_TYPES, PDF, PLAIN_TEXT } from './read-source.ts';

type MediaBlock = {
  readonly type: 'image' | 'document';
  readonly source: object;
  readonly title?: string | undefined;
};

export function writeImage(
  { at, source, detail = 'auto' }: ImagePart,
  reading: Reading,
): MediaBlock | undefined {
  if (detail !== 'auto') {
    return reading.unsupported(
      at,
      `asks for ${detail} detail, which has no equivalent at the provider of this model`,
    );
  }
  if (source.kind === 'url') return { type: 'image', source: { type: 'url', url: source.url } };
  const { mediaType, base64 } = source;
  if (!IMAGE_TYPES.includes(mediaType)) return refuseMediaType(at, mediaType, reading);
  return { type: 'image', source: { type: 'base64', media_type: mediaType, data: base64 } };
}

/** PDFs, and plain text that is given with the request. */
export function writeDocument({ at, source, name }: FilePart, reading: Reading): MediaBlock | undefined {
  const { mediaType } = source;
  if (source.kind === 'url') {
    if (mediaType !== PDF) return refuseMediaType(at, mediaType, reading);
    return { type: 'document', source: { type: 'url', url: source.url }, title: name };
  }
  if (mediaType === PDF) {
    const data = { type: 'base64', media_type: PDF, data: source.base64 };
    return { type: 'document', source: data, title: name };
  }
  if (mediaType !== PLAIN_TEXT) return refuseMediaType(at, mediaType, reading);
  const text = Buffer.from(source.base64, 'base64');
  if (!isUtf8(text)) return reading.invalid(at, 'is plain text that is not UTF-8');
  const data = { type: 'text', media_type: PLAIN_TEXT, data: text.toString('utf8') };
  return { type: 'document', source: data, title: name };
}

function refuseMediaType(at: string, mediaType: string | undefined, reading: Reading): undefined {
  return reading.unsupported(
    at,
    `is of the type ${mediaType ?? 'unknown'}, which this provider does not take`,
  );
}
