/** Responsible for reading the images and documents of a request to Anthropic, and that their data is what it says. */
import type { FilePart, ImagePart, Source } from '../chat.ts';
import type { ObjectReader } from '../reading.ts';
import { withoutUnset } from './fields.ts';

export const PDF = 'application/pdf';
export const PLAIN_TEXT = 'text/plain';
export const IMAGE_TYPES: readonly string[] = ['image/jpeg', 'image/png', 'image/gif', 'image/webp'];

export function readImage(block: ObjectReader): ImagePart | undefined {
  block.pass('cache_control');
  const source = readSource(block, {
    base64: (reader) => readData(reader, IMAGE_TYPES),
    url: (reader) => readAddress(reader, undefined),
  });
  block.done();
  if (source?.kind === 'data' && decodedBytes(source.base64) > IMAGE_BYTES_MAX) {
    block.invalid('source.data', 'must be at most 20 MB');
  }
  return source === undefined ? undefined : { kind: 'image', at: block.path, source };
}

/** A document by address is a PDF. Citations, and text about a document beside it, only Anthropic has. */
export function readDocument(block: ObjectReader): FilePart | undefined {
  block.pass('cache_control');
  const name = block.text('title');
  const citations = block.object('citations');
  citations?.expect('enabled', false);
  citations?.done();
  const source = readSource(block, {
    base64: (reader) => readData(reader, [PDF]),
    text: readPlainText,
    url: (reader) => readAddress(reader, PDF),
  });
  block.done();
  return source === undefined
    ? undefined
    : withoutUnset<FilePart>({ kind: 'file', at: block.path, source, name });
}

type SourceReader = (source: ObjectReader) => Source | undefined;

/** Other types, such as a file that was uploaded to Anthropic, no other vendor can read. */
function readSource(
  block: ObjectReader,
  readers: Readonly<Record<string, SourceReader>>,
): Source | undefined {
  const reader = block.object('source');
  if (reader === undefined) return block.invalid('source', 'must be an object');
  const type = reader.requiredText('type');
  const read = Object.hasOwn(readers, type) ? readers[type] : undefined;
  if (read === undefined) return reader.unsupported('type');
  const source = read(reader);
  reader.done();
  return source;
}

function readData(source: ObjectReader, mediaTypes: readonly string[]): Source | undefined {
  const mediaType = source.choice('media_type', mediaTypes);
  const base64 = source.requiredText('data');
  if (mediaType === undefined) return source.invalid('media_type', `must be one of ${mediaTypes.join(', ')}`);
  if (base64 === '' || base64.length % 4 !== 0 || !BASE64.test(base64)) {
    return source.invalid('data', 'must be base64');
  }
  return { kind: 'data', mediaType, base64 };
}

function readPlainText(source: ObjectReader): Source {
  if (source.value('media_type') !== PLAIN_TEXT) source.invalid('media_type', `must be ${PLAIN_TEXT}`);
  const base64 = Buffer.from(source.requiredText('data')).toString('base64');
  return { kind: 'data', mediaType: PLAIN_TEXT, base64 };
}

function readAddress(source: ObjectReader, mediaType: string | undefined): Source | undefined {
  const url = source.requiredText('url');
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url))
    return source.invalid('url', 'must be an HTTP address');
  return mediaType === undefined ? { kind: 'url', url } : { kind: 'url', url, mediaType };
}

function decodedBytes(base64: string): number {
  return Buffer.byteLength(base64, 'base64');
}

const IMAGE_BYTES_MAX = 20_000_000;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;
