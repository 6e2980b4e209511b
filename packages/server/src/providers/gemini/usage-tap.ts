/**
 * Responsible for watching Gemini's stream of server-sent events while it is relayed: each event is an answer of its own
 * with the usage so far, of which the last counts; a reason why generating ended makes the stream complete. Withholds
 * nothing, and holds no event: only the fields that it needs.
 */
import { JsonRefusal, parseJsonObject } from '../../kernel/json-scan.ts';
import { NONE } from '../event-stream.ts';
import type { StreamSummary, StreamTap, UsageReading } from '../provider.ts';
import { USAGE_MISSING } from '../strict-usage.ts';
import { type FoundField } from '../field-finder.ts';
import { AnswerFields, type AnswerField } from './answer-fields.ts';
import { chargeSearches, mapUsage, tookSearches } from './map-usage.ts';

export class GeminiStreamTap implements StreamTap {
  readonly #fields = new AnswerFields();
  /** What of the running line has come: part of the field's name, or the name and part of its value. */
  #line: 'name' | 'data' | 'other' = 'name';
  #name = '';
  #usage: Buffer | 'malformed' | undefined = undefined;
  #hasSearched = false;
  #hasEnded = false;
  #hasFailed = false;

  push(chunk: Buffer): Buffer {
    for (let from = 0; from < chunk.length;) {
      const lf = chunk.indexOf(LF, from);
      const end = lf === NONE ? chunk.length : lf;
      this.#readLine(chunk.subarray(from, end));
      if (lf !== NONE) this.#endLine();
      from = end + 1;
    }
    return chunk;
  }

  finish(): StreamSummary {
    // A last event without its blank line counts if its data is whole; else the stream was cut off within it.
    const found = this.#fields.end();
    if (found !== 'broken') this.#inspect(found);
    const isWithinName = this.#line === 'name' && withoutCr(this.#name) !== '';
    if (found === 'broken' || isWithinName) this.#hasFailed = true;
    const reading = readUsage(this.#usage);
    return {
      reading: this.#hasSearched ? chargeSearches(reading) : reading,
      completed: this.#hasEnded && !this.#hasFailed,
      trailing: undefined,
    };
  }

  #readLine(part: Buffer): void {
    let value = part;
    if (this.#line === 'name') {
      const colon = part.indexOf(COLON);
      const end = Math.min(colon === NONE ? part.length : colon, NAME_CHARACTERS_MAX);
      this.#name = (this.#name + part.toString('latin1', 0, end)).slice(0, NAME_CHARACTERS_MAX);
      if (colon === NONE) return;
      this.#line = this.#name === 'data' ? 'data' : 'other';
      if (!LINE_NAMES.has(this.#name)) this.#hasFailed = true;
      value = part.subarray(colon + 1);
    }
    if (this.#line === 'data') this.#fields.push(value);
  }

  #endLine(): void {
    if (this.#line === 'data') this.#fields.breakLine();
    else if (this.#line === 'name') {
      const name = withoutCr(this.#name);
      if (name === '') this.#endEvent();
      // An error in mid-stream may come as it is, with no event around it.
      else if (!LINE_NAMES.has(name)) this.#hasFailed = true;
    }
    this.#line = 'name';
    this.#name = '';
  }

  #endEvent(): void {
    const found = this.#fields.end();
    if (found !== 'broken') this.#inspect(found);
    else {
      this.#hasFailed = true;
      this.#usage = 'malformed';
    }
  }

  #inspect(found: readonly FoundField<AnswerField>[]): void {
    let usages = 0;
    for (const { field, json } of found) {
      switch (field) {
        case 'usageMetadata':
          if (isNull(json)) break;
          usages++;
          this.#usage = usages === 1 ? json : 'malformed';
          break;
        case 'error':
          if (!isNull(json)) this.#hasFailed = true;
          break;
        case 'finishReason':
          if (isReason(REASON.exec(json.toString('latin1'))?.[1])) this.#hasEnded = true;
          break;
        case 'promptFeedback':
          if (isBlocked(json)) this.#hasEnded = true;
          break;
        case 'groundingMetadata':
          if (isSearch(json)) this.#hasSearched = true;
          break;
      }
    }
  }
}

/** A line may end in CRLF. */
function withoutCr(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}

function readUsage(json: Buffer | 'malformed' | undefined): UsageReading {
  if (json === undefined) return USAGE_MISSING;
  const usage = json === 'malformed' ? undefined : parseJsonObject(json);
  return usage === undefined || usage instanceof JsonRefusal ? { problem: 'malformed' } : mapUsage(usage);
}

/** A blocked prompt has no candidates: nothing was generated, and nothing follows. */
function isBlocked(feedback: Buffer): boolean {
  const fields = parseJsonObject(feedback);
  return !(fields instanceof JsonRefusal) && isReason(fields['blockReason']);
}

/** Each enumeration of reasons has one value that says nothing. */
function isReason(name: unknown): boolean {
  return typeof name === 'string' && name !== '' && !name.endsWith('_UNSPECIFIED');
}

/** What cannot be read is not given away. */
function isSearch(grounding: Buffer): boolean {
  if (isNull(grounding)) return false;
  const fields = parseJsonObject(grounding);
  return fields instanceof JsonRefusal || tookSearches(fields);
}

/** No other value begins with that letter. */
function isNull(json: Buffer): boolean {
  return json.find((byte) => byte > SPACE) === LETTER_N;
}

const LF = 0x0a;
const SPACE = 0x20;
const COLON = 0x3a;
const LETTER_N = 0x6e;
/** The fields of an event; a comment has no name. */
const LINE_NAMES: ReadonlySet<string> = new Set(['', 'data', 'event', 'id', 'retry']);
const NAME_CHARACTERS_MAX = 8;
const REASON = /^\s*"(\w+)"\s*$/;
