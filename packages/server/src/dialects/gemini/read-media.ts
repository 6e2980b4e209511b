/** Responsible for the media of a Gemini request: `inlineData`, which holds bytes, and `fileData`, which says where they are. */
import type { AudioPart, FilePart, ImagePart, Source } from '../chat.ts';
import type { ObjectReader } from '../reading.ts';
import { presentFields } from './present-fields.ts';

export type MediaPart = ImagePart | AudioPart | FilePart;

export const IMAGE_BYTES_MAX = 20 * 1024 * 1024;

export function readInlineData(data: ObjectReader, at: string): MediaPart | undefined {
  const mediaType = data.requiredText('mimeType').toLowerCase();
  const base64 = readBase64(data);
  const name = data.text('displayName');
  data.done();
  if (mediaType.startsWith('image/') && base64.length * 0.75 > IMAGE_BYTES_MAX) {
    data.invalid('data', `must hold at most ${IMAGE_BYTES_MAX} bytes`);
  }
  return toPart({ kind: 'data', mediaType, base64 }, { data, at, name });
}

export function readFileData(data: ObjectReader, at: string): MediaPart | undefined {
  const url = data.requiredText('fileUri');
  // Without it nobody knows what kind of part this is.
  const mediaType = data.requiredText('mimeType').toLowerCase();
  const name = data.text('displayName');
  data.done();
  if (!url.startsWith('https://') || !URL.canParse(url)) {
    data.unsupported('fileUri', 'must be an https address for the provider of this model');
  } else if (new URL(url).hostname === FILE_STORE) {
    data.unsupported('fileUri', "is in Google's own store, which the provider of this model cannot read");
  }
  return toPart({ kind: 'url', url, mediaType }, { data, at, name });
}

interface Place {
  readonly data: ObjectReader;
  readonly at: string;
  readonly name: string | undefined;
}

/** The name of an image or a recording is for tools that run at Google, and is passed over: no such tool is let through. */
function toPart(source: Source & { readonly mediaType: string }, place: Place): MediaPart | undefined {
  const { data, at, name } = place;
  const { mediaType } = source;
  if (IMAGE_TYPES.has(mediaType)) return { kind: 'image', source, at };
  if (mediaType.startsWith('audio/')) return { kind: 'audio', source, at };
  if (FILE_TYPES.has(mediaType)) return presentFields<FilePart>({ kind: 'file', source, name, at });
  if (mediaType.startsWith('image/')) {
    return data.invalid('mimeType', `must be one of ${[...IMAGE_TYPES].join(', ')}`);
  }
  return data.unsupported('mimeType');
}

/** Google's clients write either alphabet, and one of them pads. Other vendors know the plain one alone. */
function readBase64(data: ObjectReader): string {
  const written = data.requiredText('data');
  const bare = written
    .replace(/={1,2}$/, '')
    .replaceAll('-', '+')
    .replaceAll('_', '/');
  if (bare === '' || bare.length % 4 === 1 || !BASE64.test(bare)) data.invalid('data', 'must be base64');
  return bare.padEnd(Math.ceil(bare.length / 4) * 4, '=');
}

const BASE64 = /^[A-Za-z0-9+/]*$/;
const IMAGE_TYPES: ReadonlySet<string> = new Set(['image/png', 'image/jpeg', 'image/gif', 'image/webp']);
const FILE_TYPES: ReadonlySet<string> = new Set(['application/pdf', 'text/plain']);
const FILE_STORE = 'generativelanguage.googleapis.com';
