/**
 * Responsible for watching an OpenAI-compatible stream of server-sent events while it is relayed: finds the usage, says
 * whether the stream was complete, and keeps the usage chunk from a client that did not ask for it.
 */
import { EventSplitter, mayHaveValue, NONE, parseEventData } from '../event-stream.ts';
import type { Endpoint, ModelCall, StreamSummary, StreamTap, UsageReading } from '../provider.ts';
import { type Fields, fieldsOf } from '../strict-usage.ts';
import { sumInput, sumOutput } from '../sum-usage.ts';
import { mapUsage } from './map-usage.ts';

/** In what a vendor's stream may differ. */
export interface StreamManners {
  /** `event` is what the usage came in. */
  readonly mapUsage: (endpoint: Endpoint, usage: unknown, event: Fields) => UsageReading;
  /** Finish reasons by which the vendor says that the answer is not complete, whatever comes after. */
  readonly interruptions: readonly string[];
}

/**
 * Relays chunks as they are. Where the client did not ask for usage, an event whose end has not arrived is held back,
 * since it may turn out to be the usage chunk; a client acts on no event before its end, so nothing is delayed.
 */
export class OpenAiStreamTap implements StreamTap {
  readonly #call: ModelCall;
  readonly #manners: StreamManners;
  /** What an event that tells of an interruption contains. */
  readonly #marks: readonly Buffer[];
  readonly #hidesUsage: boolean;
  /** The parts that it holds are held back if `#hidesUsage`, else they have been relayed already. */
  readonly #events = new EventSplitter();
  #reading: UsageReading | undefined = undefined;
  #completed = false;
  #isInterrupted = false;

  constructor(call: ModelCall, manners: StreamManners = USUAL) {
    this.#call = call;
    this.#manners = manners;
    this.#marks = manners.interruptions.map((reason) => Buffer.from(`"${reason}"`));
    this.#hidesUsage = !call.wantsUsageChunk;
  }

  push(chunk: Buffer): Buffer | readonly Buffer[] {
    const out: Buffer[] = [];
    // What is before `settledTo` has been relayed or dropped; the running event begins at `from`.
    let settledTo = 0;
    let from = 0;
    for (let end = this.#events.findEnd(chunk, 0); end !== NONE; end = this.#events.findEnd(chunk, end)) {
      const { held } = this.#events;
      const event = this.#events.take(chunk, from, end);
      const isHidden = event !== undefined && this.#inspect(event, 'whole') && this.#hidesUsage;
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
    const event = this.#events.takeUnended();
    const isHidden = event !== undefined && this.#inspect(event, 'cut off');
    return {
      reading: this.#reading ?? { problem: this.#events.hadTooLong ? 'malformed' : 'missing' },
      completed: this.#completed && !this.#isInterrupted,
      trailing: this.#hidesUsage && !isHidden ? event : undefined,
    };
  }

  /** Keeps the event that has not ended. Returns the offset up to which the chunk may be relayed. */
  #keepUnended(chunk: Buffer, from: number, out: Buffer[]): number {
    if (from === chunk.length) return from;
    const { held } = this.#events;
    if (this.#events.keep(chunk, from)) return this.#hidesUsage ? from : chunk.length;
    if (this.#hidesUsage) out.push(...held);
    return chunk.length;
  }

  /** True for the extra chunk that carries nothing but usage. */
  #inspect(event: Buffer, state: 'whole' | 'cut off'): boolean {
    if (event.length <= DONE_EVENT_BYTES_MAX && DONE_LINE.test(event.toString('latin1'))) {
      this.#completed = true;
      return false;
    }
    const mayInterrupt = this.#marks.some((mark) => event.includes(mark));
    const mayHaveUsage = mayHaveValue(event, USAGE_KEY);
    if (!mayHaveUsage && !mayInterrupt) return false;
    const data = parseEventData(event);
    if (mayInterrupt) this.#isInterrupted ||= this.#endsEarly(data?.['choices']);
    if (!mayHaveUsage) return false;
    if (data === undefined) {
      if (state === 'whole') this.#reading = { problem: 'malformed' };
      return false;
    }
    const usage = data['usage'];
    if (usage === undefined || usage === null) return false;
    this.#reading = followingReading(this.#reading, this.#manners.mapUsage(this.#call.endpoint, usage, data));
    const choices = data['choices'];
    return Array.isArray(choices) && choices.length === 0 && typeof usage === 'object';
  }

  #endsEarly(choices: unknown): boolean {
    if (!Array.isArray(choices)) return false;
    const reasons = choices.map((choice) => fieldsOf(choice)?.['finish_reason']);
    return this.#manners.interruptions.some((reason) => reasons.includes(reason));
  }
}

/**
 * Servers that report as they go repeat the running total: the last one counts. A total only grows: after one that was
 * taken back nothing is believed.
 */
function followingReading(before: UsageReading | undefined, next: UsageReading): UsageReading {
  if (before === FALLEN) return FALLEN;
  if (before === undefined || 'problem' in before || 'problem' in next) return next;
  const hasFallen =
    sumInput(next.usage) < sumInput(before.usage) || sumOutput(next.usage) < sumOutput(before.usage);
  return hasFallen ? FALLEN : next;
}

const FALLEN: UsageReading = { problem: 'malformed' };

const USUAL: StreamManners = { mapUsage, interruptions: [] };

const USAGE_KEY = Buffer.from('"usage"');
const DONE_EVENT_BYTES_MAX = 64;
const DONE_LINE = /^data: ?\[DONE\]\r?$/m;
