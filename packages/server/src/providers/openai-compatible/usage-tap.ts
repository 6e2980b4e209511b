/**
 * Responsible for watching an OpenAI-compatible stream of server-sent events while it is relayed: finds the usage, says
 * whether the stream was complete, and keeps the usage chunk from a client that did not ask for it.
 */
import type { ModelCall, StreamSummary, StreamTap, UsageReading } from '../provider.ts';
import { mapUsage } from './map-usage.ts';

/** The longest event that is looked into, and the most bytes that are held back. A usage chunk has some hundreds. */
export const EVENT_BYTES_MAX = 65_536;

/**
 * Relays chunks as they are. Where the client did not ask for usage, an event whose end has not arrived is held back,
 * since it may turn out to be the usage chunk; a client acts on no event before its end, so nothing is delayed.
 */
export class OpenAiStreamTap implements StreamTap {
  readonly #call: ModelCall;
  readonly #hidesUsage: boolean;
  /** The parts of the event whose end has not arrived: held back if `#hidesUsage`, else relayed already. */
  #parts: Buffer[] = [];
  #eventBytes = 0;
  /** The running event is over the limit: relayed without a look until its end. */
  #isTooLong = false;
  #hadTooLong = false;
  /** Length of the line whose end has not arrived, and its last byte. */
  #lineBytes = 0;
  #lastByte = 0;
  #reading: UsageReading | undefined = undefined;
  #completed = false;

  constructor(call: ModelCall) {
    this.#call = call;
    this.#hidesUsage = !call.wantsUsageChunk;
  }

  push(chunk: Buffer): Buffer | readonly Buffer[] {
    const out: Buffer[] = [];
    // What is before `settledTo` has been relayed or dropped; the running event begins at `from`.
    let settledTo = 0;
    let from = 0;
    for (let end = this.#findEventEnd(chunk, 0); end !== NONE; end = this.#findEventEnd(chunk, end)) {
      const held = this.#parts;
      const isHidden = this.#endEvent(chunk, from, end) && this.#hidesUsage;
      if (isHidden) {
        if (from > settledTo) out.push(chunk.subarray(settledTo, from));
        settledTo = end;
      } else if (this.#hidesUsage && held.length > 0) {
        out.push(...held);
      }
      from = end;
    }
    const relayedTo = this.#keepUnended(chunk, from, out);
    if (out.length === 0 && settledTo === 0 && relayedTo === chunk.length) return chunk;
    if (relayedTo > settledTo) out.push(chunk.subarray(settledTo, relayedTo));
    return out;
  }

  finish(): StreamSummary {
    let trailing: Buffer | undefined;
    if (!this.#isTooLong && this.#eventBytes > 0) {
      const event = Buffer.concat(this.#parts);
      const isHidden = this.#inspect(event, 'cut off');
      if (this.#hidesUsage && !isHidden) trailing = event;
    }
    return {
      reading: this.#reading ?? { problem: this.#hadTooLong ? 'malformed' : 'missing' },
      completed: this.#completed,
      trailing,
    };
  }

  /** The offset after the blank line that ends the running event, or `NONE`: then it remembers how the chunk ends. */
  #findEventEnd(chunk: Buffer, from: number): number {
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

  /** The event ends in `chunk`, where it goes on from `from` to `end`. True when the client should not see it. */
  #endEvent(chunk: Buffer, from: number, end: number): boolean {
    const parts = this.#parts;
    const eventBytes = this.#eventBytes + end - from;
    if (parts.length > 0) this.#parts = [];
    this.#eventBytes = 0;
    if (this.#isTooLong || eventBytes > EVENT_BYTES_MAX) {
      this.#isTooLong = false;
      this.#hadTooLong = true;
      return false;
    }
    const rest = chunk.subarray(from, end);
    return this.#inspect(parts.length === 0 ? rest : Buffer.concat([...parts, rest]), 'whole');
  }

  /** Keeps the event that has not ended. Returns the offset up to which the chunk may be relayed. */
  #keepUnended(chunk: Buffer, from: number, out: Buffer[]): number {
    if (from === chunk.length) return from;
    this.#eventBytes += chunk.length - from;
    if (!this.#isTooLong && this.#eventBytes > EVENT_BYTES_MAX) {
      this.#isTooLong = true;
      this.#hadTooLong = true;
      if (this.#hidesUsage) out.push(...this.#parts);
      this.#parts = [];
    }
    if (this.#isTooLong) return chunk.length;
    this.#parts.push(from === 0 ? chunk : chunk.subarray(from));
    return this.#hidesUsage ? from : chunk.length;
  }

  /** True for the extra chunk that carries nothing but usage. */
  #inspect(event: Buffer, state: 'whole' | 'cut off'): boolean {
    if (event.length <= DONE_EVENT_BYTES_MAX && DONE_LINE.test(event.toString('latin1'))) {
      this.#completed = true;
      return false;
    }
    if (!mayHaveUsage(event)) return false;
    const data = parseData(event);
    if (data === undefined) {
      if (state === 'whole') this.#reading = { problem: 'malformed' };
      return false;
    }
    const usage = data['usage'];
    if (usage === undefined || usage === null) return false;
    // Servers that report as they go repeat the running total: the last one counts.
    this.#reading = mapUsage(this.#call.endpoint, usage);
    const choices = data['choices'];
    return Array.isArray(choices) && choices.length === 0 && typeof usage === 'object';
  }
}

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;
const LETTER_N = 0x6e;
const NONE = -1;
const USAGE_KEY = Buffer.from('"usage"');
const DONE_EVENT_BYTES_MAX = 64;
const DONE_LINE = /^data: ?\[DONE\]\r?$/m;

/** True when some field `usage` has a value other than null. Inside a string the quotes would be escaped. */
function mayHaveUsage(event: Buffer): boolean {
  for (let key = event.indexOf(USAGE_KEY); key !== NONE; key = event.indexOf(USAGE_KEY, key + 1)) {
    const colon = skipSpace(event, key + USAGE_KEY.length);
    if (event[colon] === COLON && event[skipSpace(event, colon + 1)] !== LETTER_N) return true;
  }
  return false;
}

function skipSpace(event: Buffer, from: number): number {
  let at = from;
  while (at < event.length && (event[at] as number) <= SPACE) at++;
  return at;
}

/** The event's data as the HTML standard joins it, if that is a JSON object. */
function parseData(event: Buffer): Readonly<Record<string, unknown>> | undefined {
  const lines: string[] = [];
  for (const line of event.toString('utf8').split(/\r?\n/)) {
    if (line.startsWith('data:')) lines.push(line.slice(line[5] === ' ' ? 6 : 5));
  }
  try {
    const value: unknown = JSON.parse(lines.join('\n'));
    if (typeof value === 'object' && value !== null) return value as Readonly<Record<string, unknown>>;
  } catch {
    // A provider may send anything; what cannot be read is the same as what is not an object.
  }
  return undefined;
}
