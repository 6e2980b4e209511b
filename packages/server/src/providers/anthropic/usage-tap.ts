/**
 * Responsible for watching Anthropic's stream of server-sent events while it is relayed: gathers the usage that its events
 * report in parts, and says whether the stream was complete. Withholds nothing: in this dialect every client sees usage.
 */
import { EventSplitter, mayHaveValue, NONE, parseEventData } from '../event-stream.ts';
import type { StreamSummary, StreamTap, UsageReading } from '../provider.ts';
import { type Fields, fieldsOf } from '../strict-usage.ts';
import { mapUsage, mergeUsage } from './map-usage.ts';

export class AnthropicStreamTap implements StreamTap {
  readonly #events = new EventSplitter();
  /** What the events have reported so far, the latest of each field. */
  #usage: Fields = {};
  /** Set once a `message_delta` has told the output: until then the input is known and the cost is not. */
  #reading: UsageReading | undefined = undefined;
  #hasStopped = false;
  #hasFailed = false;

  push(chunk: Buffer): Buffer {
    let from = 0;
    for (let end = this.#events.findEnd(chunk, 0); end !== NONE; end = this.#events.findEnd(chunk, end)) {
      const event = this.#events.take(chunk, from, end);
      if (event !== undefined) this.#inspect(event, 'whole');
      from = end;
    }
    if (from < chunk.length) this.#events.keep(chunk, from);
    return chunk;
  }

  finish(): StreamSummary {
    const event = this.#events.takeUnended();
    if (event !== undefined) this.#inspect(event, 'cut off');
    return {
      reading: this.#reading ?? { problem: this.#events.hadTooLong ? 'malformed' : 'missing' },
      completed: this.#hasStopped && !this.#hasFailed,
      trailing: undefined,
    };
  }

  /** Most events are parts of the answer, and not parsed. */
  #inspect(event: Buffer, state: 'whole' | 'cut off'): void {
    if (event.includes(ERROR_NAME) && ERROR_LINE.test(event.toString('latin1'))) this.#hasFailed = true;
    const mayHaveUsage = mayHaveValue(event, USAGE_KEY);
    if (!mayHaveUsage && !event.includes(STOP_TYPE) && !event.includes(ERROR_TYPE)) return;
    const data = parseEventData(event);
    if (data === undefined) {
      if (mayHaveUsage && state === 'whole') this.#reading = { problem: 'malformed' };
      return;
    }
    switch (data['type']) {
      case 'message_start':
        this.#open(fieldsOf(data['message'])?.['usage']);
        break;
      case 'message_delta':
        this.#update(data['usage'] ?? undefined);
        break;
      case 'message_stop':
        this.#hasStopped = true;
        break;
      case 'error':
        this.#hasFailed = true;
        break;
      default:
    }
  }

  /** The output that a stream begins with is a placeholder. */
  #open(usage: unknown): void {
    const started = { ...fieldsOf(usage), output_tokens: undefined, output_tokens_details: undefined };
    this.#usage = mergeUsage({}, started);
  }

  #update(usage: unknown): void {
    if (usage === undefined) return;
    const fields = fieldsOf(usage);
    if (fields !== undefined) this.#usage = mergeUsage(this.#usage, fields);
    this.#reading = mapUsage(fields === undefined ? usage : this.#usage);
  }
}

const USAGE_KEY = Buffer.from('"usage"');
const STOP_TYPE = Buffer.from('"message_stop"');
const ERROR_TYPE = Buffer.from('"error"');
const ERROR_NAME = Buffer.from('error');
/** Clients go by the event's name, whatever its data is. */
const ERROR_LINE = /^event: ?error\r?$/m;
