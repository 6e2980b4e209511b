/** Counts the inputs of a call that cost more than their bytes say: media parts, and prompts that are answered one by one. */
import type { JsonObjectScan, JsonSpan } from '../kernel/json-scan.ts';
import { DIALECTS, type Endpoint } from '../providers/provider.ts';

/**
 * Parts such as images, recordings and files: whatever is neither plain text nor a part of type `text`. A call without
 * any is told by its bytes, since parsing what a client sends costs more than all else here.
 */
export function countMediaParts(endpoint: Endpoint, scan: JsonObjectScan): number {
  if (DIALECTS[endpoint] === 'gemini') return countGeminiParts(scan);
  if (endpoint === 'responses') return countItemParts(scan);
  const messages = scan.field('messages');
  const ofMessages = messages !== undefined && mayHaveParts(scan, messages) ? readList(scan, messages) : [];
  let count = 0;
  for (const message of ofMessages) count += partsOfMessage(message);
  const input = READS_INPUT.has(endpoint) ? scan.field('input') : undefined;
  if (input !== undefined && scan.body.subarray(input.start, input.end).includes(OPEN_BRACE)) {
    count += readList(scan, input).filter((item) => isObject(item)).length;
  }
  return count;
}

/** Among the items of a response's input: what a user says, what a tool gives back, what a screen shows. */
function countItemParts(scan: JsonObjectScan): number {
  const input = scan.field('input');
  if (input?.kind !== 'array') return 0;
  let count = 0;
  for (const item of readList(scan, input)) {
    if (!isObject(item)) continue;
    for (const held of [item['content'], item['output']]) {
      for (const part of Array.isArray(held) ? (held as unknown[]) : [held]) count += weighItemPart(part);
    }
  }
  return count;
}

function weighItemPart(part: unknown): number {
  if (!isObject(part) || ITEM_TEXTS.has(part['type'])) return 0;
  const isNamed = part['type'] === 'input_file' && typeof part['file_data'] !== 'string';
  return isNamed ? NAMED_PARTS : 1;
}

/** Whose inputs are a list in which what is no text is an object. */
const READS_INPUT: ReadonlySet<Endpoint> = new Set<Endpoint>(['embeddings', 'moderations']);

/** Inline data and files among the parts of Gemini's contents, and a cache that is only named. */
function countGeminiParts(scan: JsonObjectScan): number {
  let count = CACHE_NAMES.some((name) => (scan.field(name)?.kind ?? 'null') !== 'null') ? NAMED_PARTS : 0;
  for (const name of CONTENT_NAMES) {
    const span = scan.field(name);
    if (span === undefined || !mayHoldData(scan.body.subarray(span.start, span.end))) continue;
    for (const content of readList(scan, span)) {
      count += partsOfContent(isObject(content) && name === 'requests' ? content['content'] : content);
    }
  }
  return count;
}

function partsOfContent(content: unknown): number {
  const parts = isObject(content) ? content['parts'] : undefined;
  let count = 0;
  for (const part of Array.isArray(parts) ? (parts as unknown[]) : [parts]) {
    if (!isObject(part)) continue;
    if ('inlineData' in part || 'inline_data' in part) count++;
    if ('fileData' in part || 'file_data' in part) count += NAMED_PARTS;
  }
  return count;
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

/** What is only named (an address, a file) may be as long as the model can read. */
const NAMED_PARTS = 100;

function partsOfMessage(message: unknown): number {
  if (!isObject(message)) return 0;
  const { content, audio } = message;
  const parts = Array.isArray(content) ? (content as unknown[]) : [content];
  // An earlier answer in sound is named, and read again.
  let count = isObject(audio) ? 1 : 0;
  for (const part of parts) count += weighPart(part);
  return count;
}

/** An image or a document; or a tool's result, whose own parts count. */
function weighPart(part: unknown): number {
  if (!isMedia(part)) return 0;
  if (!isObject(part)) return 1;
  const { type, source, content } = part;
  if (type === 'document' && isObject(source) && (source['type'] === 'url' || source['type'] === 'file')) {
    return NAMED_PARTS;
  }
  return type === 'tool_result' && Array.isArray(content) ? 1 + partsOfMessage({ content }) : 1;
}

function isMedia(part: unknown): boolean {
  if (Array.isArray(part)) return true;
  return isObject(part) && part['type'] !== 'text';
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
const CONTENT_NAMES = ['contents', 'content', 'requests', 'systemInstruction', 'system_instruction'] as const;
const CACHE_NAMES = ['cachedContent', 'cached_content'] as const;
const DATA_KEYS = ['"inline', '"file'].map((key) => Buffer.from(key));
