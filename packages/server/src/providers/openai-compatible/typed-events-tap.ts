/**
 * Responsible for watching the streams of OpenAI's newer endpoints while they are relayed: events that say in `type` what
 * they are, of which a last one has the usage. Withholds nothing, and holds no event, since that last one repeats the
 * whole answer: only the few fields that it needs.
 */
import { JsonRefusal, parseJsonObject } from '../../kernel/json-scan.ts';
import { NONE } from '../event-stream.ts';
import { FieldFinder, type FoundField } from '../field-finder.ts';
import type { Endpoint, StreamSummary, StreamTap, UsageReading } from '../provider.ts';
import { type Fields, USAGE_MISSING } from '../strict-usage.ts';
import { mapUsage } from './map-usage.ts';

/** The types of the events that end a stream in order; whatever was used until then, they say. */
const LAST_EVENTS: Readonly<Partial<Record<Endpoint, readonly string[]>>> = {
  responses: ['response.completed', 'response.incomplete', 'response.failed'],
  'images.generations': ['image_generation.completed'],
  'audio.speech': ['speech.audio.done'],
  'audio.transcriptions': ['transcript.text.done'],
};

/** True for the endpoints whose streams are of this kind. */
export function hasTypedEvents(endpoint: Endpoint): boolean {
  return LAST_EVENTS[endpoint] !== undefined;
}

/** `answer` is what the usage stood in, as far as it matters. */
type MapUsage = (endpoint: Endpoint, usage: unknown, answer: Fields) => UsageReading;

type EventField = 'type' | 'usage' | 'error' | 'service_tier';

export class TypedEventsTap implements StreamTap {
  readonly #endpoint: Endpoint;
  readonly #mapUsage: MapUsage;
  readonly #lastEvents: readonly string[];
  readonly #fields = new FieldFinder<EventField>({
    top: ['type', 'usage', 'error'],
    inside: { key: 'response', isList: false, fields: ['usage', 'service_tier'] },
  });
  /** What of the running line has come: part of the field's name, or the name and part of its value. */
  #line: 'name' | 'data' | 'other' = 'name';
  #name = '';
  #reading: UsageReading | undefined = undefined;
  #hasEnded = false;
  #hasFailed = false;

  constructor(endpoint: Endpoint, map: MapUsage = mapUsage) {
    this.#endpoint = endpoint;
    this.#mapUsage = map;
    this.#lastEvents = LAST_EVENTS[endpoint] ?? [];
  }

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
    // A last event without its blank line counts if its data is whole.
    this.#endEvent();
    return {
      reading: this.#reading ?? USAGE_MISSING,
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
      value = part.subarray(colon + 1);
    }
    if (this.#line === 'data') this.#fields.push(value);
  }

  #endLine(): void {
    if (this.#line === 'data') this.#fields.breakLine();
    else if (this.#line === 'name' && (this.#name === '' || this.#name === '\r')) this.#endEvent();
    this.#line = 'name';
    this.#name = '';
  }

  #endEvent(): void {
    const found = this.#fields.end();
    if (found === 'broken') {
      this.#hasFailed = true;
      this.#reading = { problem: 'malformed' };
      return;
    }
    const type = readJson(found, 'type');
    if (type === 'error' || (readJson(found, 'error') ?? null) !== null) this.#hasFailed = true;
    if (typeof type !== 'string' || !this.#lastEvents.includes(type)) return;
    // One more usage would leave open whether the first is part of it.
    const reading = this.#hasEnded ? MALFORMED : this.#read(found);
    this.#reading = reading;
    this.#hasEnded = true;
  }

  #read(found: readonly FoundField<EventField>[]): UsageReading {
    const usages = found.filter(({ field }) => field === 'usage');
    if (usages.length > 1) return MALFORMED;
    const usage = usages[0] === undefined ? undefined : parseValue(usages[0].json);
    return this.#mapUsage(this.#endpoint, usage, { service_tier: readJson(found, 'service_tier') });
  }
}

const MALFORMED: UsageReading = { problem: 'malformed' };

function readJson(found: readonly FoundField<EventField>[], wanted: EventField): unknown {
  const value = found.find(({ field }) => field === wanted);
  return value === undefined ? undefined : parseValue(value.json);
}

/** What two parsers may read differently is read as text, which no usage is. */
function parseValue(json: Buffer): unknown {
  const fields = parseJsonObject(Buffer.concat([OPEN, json, CLOSE]));
  return fields instanceof JsonRefusal ? 'unreadable' : fields['v'];
}

const OPEN = Buffer.from('{"v":');
const CLOSE = Buffer.from('}');
const LF = 0x0a;
const COLON = 0x3a;
const NAME_CHARACTERS_MAX = 8;
