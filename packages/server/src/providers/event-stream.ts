/**
 * Responsible for finding server-sent events in a stream that is cut into chunks anywhere (HTML standard, "Server-sent
 * events"; lines end in LF or CRLF), in bounded memory, and for looking into one of them.
 */
import { JsonRefusal, parseJsonObject } from '../kernel/json-scan.ts';

/** The longest event that is looked into. An event that carries usage has some hundreds of bytes. */
export const EVENT_BYTES_MAX = 65_536;

/** What `findEnd` says when the running event does not end in the chunk. */
export const NONE = -1;

/**
 * Holds the parts of the event whose end has not arrived, so chunks must not change until then. An event over the limit
 * is let go, and passes without a look until its end.
 */
export class EventSplitter {
  #parts: Buffer[] = [];
  #eventBytes = 0;
  #isTooLong = false;
  #hadTooLong = false;
  /** Length of the line whose end has not arrived, and its last byte. */
  #lineBytes = 0;
  #lastByte = 0;

  /** The running event, as far as earlier chunks brought it; empty when it is over the limit. */
  get held(): readonly Buffer[] {
    return this.#parts;
  }

  /** Some event was over the limit, and nobody has looked into it. */
  get hadTooLong(): boolean {
    return this.#hadTooLong;
  }

  /** The offset after the blank line that ends the running event, or `NONE`: then it remembers how the chunk ends. */
  findEnd(chunk: Buffer, from: number): number {
    let lineStart = from;
    for (let lf = chunk.indexOf(LF, from); lf !== NONE; lf = chunk.indexOf(LF, lineStart)) {
      const lineBytes = this.#lineBytes + lf - lineStart;
      const last = lf > lineStart ? chunk[lf - 1] : this.#lastByte;
      this.#lineBytes = 0;
      lineStart = lf + 1;
      if (lineBytes === 0 || (lineBytes === 1 && last === CR)) return lineStart;
    }
    if (lineStart < chunk.length) {
      this.#lineBytes += chunk.length - lineStart;
      this.#lastByte = chunk[chunk.length - 1] as number;
    }
    return NONE;
  }

  /** The event that ends in `chunk`, where it goes on from `from` to `end`; `undefined` when it is over the limit. */
  take(chunk: Buffer, from: number, end: number): Buffer | undefined {
    const parts = this.#parts;
    const eventBytes = this.#eventBytes + end - from;
    if (parts.length > 0) this.#parts = [];
    this.#eventBytes = 0;
    if (this.#isTooLong || eventBytes > EVENT_BYTES_MAX) {
      this.#isTooLong = false;
      this.#hadTooLong = true;
      return undefined;
    }
    const rest = chunk.subarray(from, end);
    return parts.length === 0 ? rest : Buffer.concat([...parts, rest]);
  }

  /** Keeps the end of `chunk`, which belongs to an event that goes on. False when that is over the limit, and let go. */
  keep(chunk: Buffer, from: number): boolean {
    this.#eventBytes += chunk.length - from;
    if (!this.#isTooLong && this.#eventBytes > EVENT_BYTES_MAX) {
      this.#isTooLong = true;
      this.#hadTooLong = true;
      this.#parts = [];
    }
    if (this.#isTooLong) return false;
    this.#parts.push(from === 0 ? chunk : chunk.subarray(from));
    return true;
  }

  /** What has come of an event that will not end any more; `undefined` when there is none, or it is over the limit. */
  takeUnended(): Buffer | undefined {
    return this.#isTooLong || this.#eventBytes === 0 ? undefined : Buffer.concat(this.#parts);
  }
}

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const LETTER_N = 0x6e;

/**
 * True when some field of that key, which is given in its quotes, has a value other than null. Tells without parsing
 * which events are worth it: inside a string the quotes would be escaped.
 */
export function mayHaveValue(event: Buffer, quotedKey: Buffer): boolean {
  for (let key = event.indexOf(quotedKey); key !== NONE; key = event.indexOf(quotedKey, key + 1)) {
    const colon = skipSpace(event, key + quotedKey.length);
    if (event[colon] === COLON && event[skipSpace(event, colon + 1)] !== LETTER_N) return true;
  }
  return false;
}

function skipSpace(event: Buffer, from: number): number {
  let at = from;
  while (at < event.length && (event[at] as number) <= SPACE) at++;
  return at;
}

/**
 * The event's data, its lines joined as the standard says, if that is a JSON object that every parser reads alike: one
 * that says a thing twice is none. Never throws.
 */
export function parseEventData(event: Buffer): Readonly<Record<string, unknown>> | undefined {
  const lines: string[] = [];
  for (const line of event.toString('utf8').split(/\r?\n/)) {
    if (line.startsWith('data:')) lines.push(line.slice(line[5] === ' ' ? 6 : 5));
  }
  const data = parseJsonObject(Buffer.from(lines.join('\n')));
  return data instanceof JsonRefusal ? undefined : data;
}
