/** Counts the inputs of a call that cost more than their bytes say: media parts, and prompts that are answered one by one. */
import type { JsonObjectScan, JsonSpan } from '../../kernel/json-scan.ts';
import { DIALECTS, type Endpoint } from '../../providers/provider.ts';

export interface MediaParts {
  /** Parts that are no text, such as images: they cost more tokens than they have bytes. */
  readonly mediaParts: number;
  /** Those of them that may be as long as the model can read: sound, films, documents, whatever is only named. */
  readonly longParts: number;
}

/**
 * Whatever is neither plain text nor a part of type `text`. A call without any is told by its bytes, since parsing what a
 * client sends costs more than all else here.
 */
export function countMediaParts(endpoint: Endpoint, scan: JsonObjectScan): MediaParts {
  const found = new FoundParts();
  if (DIALECTS[endpoint] === 'gemini') findInContents(scan, found);
  else if (endpoint === 'responses') findInItems(scan, found);
  else findInMessages(scan, { found, readsInput: READS_INPUT.has(endpoint) });
  return { mediaParts: found.mediaParts, longParts: found.longParts };
}

class FoundParts implements MediaParts {
  mediaParts = 0;
  longParts = 0;

  add(part: { readonly isLong: boolean }): void {
    this.mediaParts++;
    if (part.isLong) this.longParts++;
  }
}

function findInMessages(
  scan: JsonObjectScan,
  { found, readsInput }: { readonly found: FoundParts; readonly readsInput: boolean },
): void {
  const messages = scan.field('messages');
  const ofMessages = messages !== undefined && mayHaveParts(scan, messages) ? readList(scan, messages) : [];
  for (const message of ofMessages) {
    if (!isObject(message)) continue;
    // An earlier answer in sound is named, and read again.
    if (isObject(message['audio'])) found.add({ isLong: true });
    for (const part of listOf(message['content'])) findInPart(part, found);
  }
  const input = readsInput ? scan.field('input') : undefined;
  if (input === undefined || !scan.body.subarray(input.start, input.end).includes(OPEN_BRACE)) return;
  for (const item of readList(scan, input)) if (isObject(item)) findInPart(item, found);
}

/** An image or a document; or a tool's result, whose own parts count. */
function findInPart(part: unknown, found: FoundParts): void {
  if (Array.isArray(part)) found.add({ isLong: true });
  if (!isObject(part) || part['type'] === 'text') return;
  const { type, source, content } = part;
  if (type !== 'document') {
    found.add({ isLong: isLong(part) });
    if (type === 'tool_result' && Array.isArray(content)) findInList(content, found);
    return;
  }
  const held: unknown = isObject(source) ? source['type'] : undefined;
  found.add({ isLong: held !== 'text' && held !== 'content' });
  if (isObject(source) && held === 'content') findInList(listOf(source['content']), found);
}

function findInList(parts: readonly unknown[], found: FoundParts): void {
  for (const part of parts) findInPart(part, found);
}

/** Among the items of a response's input: what a user says, what a tool gives back, what a screen shows. */
function findInItems(scan: JsonObjectScan, found: FoundParts): void {
  const input = scan.field('input');
  if (input?.kind !== 'array') return;
  for (const item of readList(scan, input)) {
    if (!isObject(item)) continue;
    for (const part of [...listOf(item['content']), ...listOf(item['output'])]) {
      if (isObject(part) && !ITEM_TEXTS.has(part['type'])) found.add({ isLong: isLong(part) });
    }
  }
}

/** False only of what is known to be an image, or text in another form. */
function isLong(part: Readonly<Record<string, unknown>>): boolean {
  const { type, image_url: image } = part;
  const address: unknown = isObject(image) ? image['url'] : image;
  // Some servers take a film or a document for an image.
  if (typeof address === 'string' && DATA_OF_NO_IMAGE.test(address)) return true;
  return type === undefined ? !Object.keys(part).every((key) => SHORT_KEYS.has(key)) : !SHORT_TYPES.has(type);
}

/** Whose inputs are a list in which what is no text is an object. */
const READS_INPUT: ReadonlySet<Endpoint> = new Set<Endpoint>(['embeddings', 'moderations']);

/** Inline data and files among the parts of Gemini's contents, and a cache that is only named. */
function findInContents(scan: JsonObjectScan, found: FoundParts): void {
  if (CACHE_NAMES.some((name) => (scan.field(name)?.kind ?? 'null') !== 'null')) found.add({ isLong: true });
  for (const name of CONTENT_NAMES) {
    const span = scan.field(name);
    if (span === undefined || !mayHoldData(scan.body.subarray(span.start, span.end))) continue;
    for (const content of readList(scan, span)) {
      findInContent(isObject(content) && name === 'requests' ? content['content'] : content, found);
    }
  }
}

/** Of what a user says, or a function gave back. */
function findInContent(content: unknown, found: FoundParts): void {
  if (!isObject(content)) return;
  for (const part of listOf(content['parts'])) {
    if (!isObject(part)) continue;
    for (const name of INLINE_NAMES) if (name in part) found.add({ isLong: !isImageData(part[name]) });
    for (const name of FILE_NAMES) if (name in part) found.add({ isLong: true });
    for (const name of RESULT_NAMES) findInContent(part[name], found);
  }
}

function isImageData(data: unknown): boolean {
  const mimeType = isObject(data) ? (data['mimeType'] ?? data['mime_type']) : undefined;
  return typeof mimeType === 'string' && /^image\//i.test(mimeType);
}

function mayHoldData(bytes: Buffer): boolean {
  return [...DATA_KEYS, ...ESCAPED_LETTERS].some((key) => bytes.includes(key));
}

/** Every item of a list is a prompt of its own, but a list of numbers is one prompt in tokens. */
export function countPrompts(scan: JsonObjectScan): number {
  const prompt = scan.field('prompt');
  if (prompt?.kind !== 'array') return 1;
  const items = readList(scan, prompt);
  return items.every((item) => typeof item === 'number') ? 1 : items.length;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** False when no message has a `content` or `audio` of more than text, whatever escapes its keys are written with. */
function mayHaveParts(scan: JsonObjectScan, messages: JsonSpan): boolean {
  const bytes = scan.body.subarray(messages.start, messages.end);
  return (
    ESCAPED_LETTERS.some((escape) => bytes.includes(escape)) ||
    hasValue(bytes, CONTENT_KEY) ||
    hasValue(bytes, AUDIO_KEY)
  );
}

/** True where `key` has a list or an object. Inside a string its quotes would be escaped. */
function hasValue(bytes: Buffer, key: Buffer): boolean {
  for (let at = bytes.indexOf(key); at !== NONE; at = bytes.indexOf(key, at + key.length)) {
    const colon = skipSpace(bytes, at + key.length);
    const first = bytes[colon] === COLON ? bytes[skipSpace(bytes, colon + 1)] : undefined;
    if (first === OPEN_BRACE || first === OPEN_BRACKET) return true;
  }
  return false;
}

function skipSpace(bytes: Buffer, from: number): number {
  let at = from;
  while (at < bytes.length && (bytes[at] as number) <= SPACE) at++;
  return at;
}

function readList(scan: JsonObjectScan, span: JsonSpan): readonly unknown[] {
  const value = scan.readJson(span);
  return listOf(value);
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [value];
}

const NONE = -1;
const SPACE = 0x20;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const OPEN_BRACE = 0x7b;
const CONTENT_KEY = Buffer.from('"content"');
const AUDIO_KEY = Buffer.from('"audio"');
/** How a lower-case letter of a key can be written otherwise. */
const ESCAPED_LETTERS = [Buffer.from('\\u006'), Buffer.from('\\u007')];
const ITEM_TEXTS: ReadonlySet<unknown> = new Set([
  'input_text',
  'output_text',
  'text',
  'refusal',
  'reasoning_text',
]);
const IMAGE_TYPES = ['image', 'image_url', 'input_image', 'computer_screenshot'] as const;
/** Images, and parts of Anthropic's and OpenAI's chats that have all that they say in their own bytes. */
const SHORT_TYPES: ReadonlySet<unknown> = new Set([
  ...IMAGE_TYPES,
  'browser_state',
  'redacted_thinking',
  'refusal',
  'search_result',
  'thinking',
  'tool_reference',
  'tool_result',
  'tool_use',
]);
/** Of parts without a type: images, texts, and what a shell printed. */
const SHORT_KEYS: ReadonlySet<string> = new Set([
  'detail',
  'image',
  'image_url',
  'outcome',
  'stderr',
  'stdout',
  'text',
]);
const DATA_OF_NO_IMAGE = /^\s*data:(?!image\/)/i;
const CONTENT_NAMES = ['contents', 'content', 'requests', 'systemInstruction', 'system_instruction'] as const;
const CACHE_NAMES = ['cachedContent', 'cached_content'] as const;
const INLINE_NAMES = ['inlineData', 'inline_data'] as const;
const FILE_NAMES = ['fileData', 'file_data'] as const;
const RESULT_NAMES = ['functionResponse', 'function_response'] as const;
const DATA_KEYS = ['"inline', '"file'].map((key) => Buffer.from(key));
