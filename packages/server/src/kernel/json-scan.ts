/**
 * Responsible for reading a JSON object out of a body without parsing it: one strict pass checks all of it and notes
 * where the top-level fields lie, so that callers read the few that they need and edit the body by splicing bytes.
 */
import { isUtf8 } from 'node:buffer';
import { JsonWalker } from './json-grammar.ts';
import { type JsonField, JsonRefusal, type JsonSpan, REFUSED } from './json-refusal.ts';

export { JSON_DEPTH_MAX } from './json-grammar.ts';
export { JSON_KEYS_MAX } from './json-keys.ts';
export { JsonRefusal } from './json-refusal.ts';
export type { JsonKind, JsonRefusalReason, JsonSpan } from './json-refusal.ts';

/**
 * Checks the whole of `body` and finds its top-level fields, in time linear in its length. Never throws. The scan keeps
 * `body`, which must not change afterwards.
 */
export function scanJsonObject(body: Buffer): JsonObjectScan | JsonRefusal {
  if (!isUtf8(body)) return new JsonRefusal('invalid_utf8', 0);
  const walker = new JsonWalker(body);
  const start = walker.skipSpace(0);
  if (start === body.length) return new JsonRefusal('malformed', start);
  if (body[start] !== OPEN_BRACE) return new JsonRefusal('not_an_object', start);
  const fields: JsonField[] = [];
  const end = walker.skipObject(start, 1, fields);
  if (end === REFUSED) return walker.refusal as JsonRefusal;
  const rest = walker.skipSpace(end);
  if (rest !== body.length) return new JsonRefusal('trailing_data', rest);
  return new JsonObjectScan(body, end - 1, fields);
}

/** Checks `body` as `scanJsonObject` does, then parses it. */
export function parseJsonObject(body: Buffer): Record<string, unknown> | JsonRefusal {
  const scan = scanJsonObject(body);
  return scan instanceof JsonRefusal ? scan : (JSON.parse(body.toString('utf8')) as Record<string, unknown>);
}

/** An object that has been checked. Its spans are offsets into `body`. */
export class JsonObjectScan {
  readonly body: Buffer;
  /** Where the object's closing brace is: insert further fields here, after a comma unless `isEmpty`. */
  readonly closingBrace: number;
  readonly #fields: readonly JsonField[];

  constructor(body: Buffer, closingBrace: number, fields: readonly JsonField[]) {
    this.body = body;
    this.closingBrace = closingBrace;
    this.#fields = fields;
  }

  get isEmpty(): boolean {
    return this.#fields.length === 0;
  }

  /** The value of the field `name`, which must be ASCII, however the body spells it. */
  field(name: string): JsonSpan | undefined {
    for (const field of this.#fields) {
      if (field.name === undefined ? this.#isWrittenAs(field, name) : field.name === name) return field.span;
    }
    return undefined;
  }

  /** The names that have anything but lower-case ASCII in them, as they are meant: few bodies have any. */
  namesBeyondLowerCase(): readonly string[] {
    const names: string[] = [];
    for (const { keyStart, keyEnd, name } of this.#fields) {
      if (name === undefined && this.#isLowerCase(keyStart, keyEnd)) continue;
      names.push(name ?? this.body.toString('utf8', keyStart, keyEnd));
    }
    return names;
  }

  /** The fields of an object inside this one. Throws `TypeError` when the span is no object. */
  fieldsOf(span: JsonSpan): JsonObjectScan {
    if (span.kind !== 'object') throw new TypeError(`expected an object, not a ${span.kind}`);
    const fields: JsonField[] = [];
    const end = new JsonWalker(this.body).skipObject(span.start, 1, fields);
    return new JsonObjectScan(this.body, end - 1, fields);
  }

  /** The values in an array inside this object. Throws `TypeError` when the span is no array. */
  itemsOf(span: JsonSpan): readonly JsonSpan[] {
    if (span.kind !== 'array') throw new TypeError(`expected an array, not a ${span.kind}`);
    const items: JsonSpan[] = [];
    new JsonWalker(this.body).skipArray(span.start, 1, items);
    return items;
  }

  /** Throws `TypeError` when the span is no string. */
  readString(span: JsonSpan): string {
    if (span.kind !== 'string') throw new TypeError(`expected a string, not a ${span.kind}`);
    const text = this.body.toString('utf8', span.start + 1, span.end - 1);
    return text.includes('\\') ? (JSON.parse(`"${text}"`) as string) : text;
  }

  /** Throws `TypeError` when the span is no number. May be infinite, as `1e999` is. */
  readNumber(span: JsonSpan): number {
    if (span.kind !== 'number') throw new TypeError(`expected a number, not a ${span.kind}`);
    return Number(this.body.toString('latin1', span.start, span.end));
  }

  readJson(span: JsonSpan): unknown {
    return JSON.parse(this.body.toString('utf8', span.start, span.end));
  }

  #isLowerCase(start: number, end: number): boolean {
    for (let index = start; index < end; index++) {
      const byte = this.body[index] as number;
      if (byte > ASCII_MAX || (byte >= UPPER_A && byte <= UPPER_Z)) return false;
    }
    return true;
  }

  #isWrittenAs(field: JsonField, name: string): boolean {
    if (field.keyEnd - field.keyStart !== name.length) return false;
    for (let index = 0; index < name.length; index++) {
      if (this.body[field.keyStart + index] !== name.charCodeAt(index)) return false;
    }
    return true;
  }
}

const OPEN_BRACE = 0x7b;
const UPPER_A = 0x41;
const UPPER_Z = 0x5a;
const ASCII_MAX = 0x7f;
