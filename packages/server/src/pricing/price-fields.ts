/** Responsible for reading the fields that a price has in JSON, the same in the catalog file and in the API. */
import {
  type LongContextRates,
  MODEL_MODES,
  type ModelMode,
  type NanosPerMillion,
  parseUsdPerMillion,
  type Rates,
} from './model-price.ts';
import { TOKENS_MAX } from './cost.ts';

/** A JSON object whose fields have not been looked at. */
export type Fields = Readonly<Record<string, unknown>>;

/** Thrown within this room by the readers; its catchers turn it into a value or a message that names the entry. */
export class FieldError extends Error {
  readonly field: string;
  readonly problem: string;

  constructor(field: string, problem: string) {
    super(`${field} ${problem}`);
    this.name = 'FieldError';
    this.field = field;
    this.problem = problem;
  }
}

const NAME = /^[A-Za-z0-9._:/@+-]{1,200}$/;
const NAME_PROBLEM = 'must be 1 to 200 of the characters A-Z a-z 0-9 . _ : / @ + -';
const INSTANT = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d{1,9})?Z)?$/;
const SECOND_LENGTH = 'YYYY-MM-DDThh:mm:ss'.length;

/** The optional classes, by the names that their prices have in JSON. */
const OPTIONAL_RATES = {
  cached_input_usd_per_million: 'cachedInputPerMillion',
  cache_write_usd_per_million: 'cacheWritePerMillion',
  long_cache_write_usd_per_million: 'longCacheWritePerMillion',
  reasoning_usd_per_million: 'reasoningPerMillion',
  audio_input_usd_per_million: 'audioInputPerMillion',
  cached_audio_input_usd_per_million: 'cachedAudioInputPerMillion',
  image_input_usd_per_million: 'imageInputPerMillion',
  audio_output_usd_per_million: 'audioOutputPerMillion',
  image_output_usd_per_million: 'imageOutputPerMillion',
} as const satisfies Readonly<Record<string, keyof Rates>>;

export type OptionalRateField = keyof typeof OPTIONAL_RATES;
/** The same as a list of pairs: the field, and where its price is kept. */
export const OPTIONAL_RATE_FIELDS = Object.entries(OPTIONAL_RATES) as readonly (readonly [
  OptionalRateField,
  (typeof OPTIONAL_RATES)[OptionalRateField],
])[];

/** The names of the fields that `readRates` reads. */
export const RATE_FIELDS: readonly string[] = [
  'input_usd_per_million',
  'output_usd_per_million',
  ...Object.keys(OPTIONAL_RATES),
];

/** Requires an object, not an array or null. */
export function readFields(value: unknown, field: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new FieldError(field, 'must be an object');
  }
  return value as Fields;
}

/** A misspelt price would be a missing price, so an unknown field is refused. */
export function refuseUnknownFields(fields: Fields, known: readonly string[], prefix = ''): void {
  for (const name of Object.keys(fields)) {
    if (!known.includes(name)) throw new FieldError(`${prefix}${name}`, 'is not a known field');
  }
}

/** Reads all token classes. Input and output are required, the others optional. */
export function readRates(fields: Fields, prefix = ''): Rates {
  const optional: Partial<Record<keyof Rates, NanosPerMillion>> = {};
  for (const [field, rate] of OPTIONAL_RATE_FIELDS) {
    const price = readPrice(fields, field, prefix);
    if (price !== undefined) optional[rate] = price;
  }
  return {
    inputPerMillion: readRequiredPrice(fields, 'input_usd_per_million', prefix),
    outputPerMillion: readRequiredPrice(fields, 'output_usd_per_million', prefix),
    ...optional,
  };
}

/** Reads `above`, the rates of long calls: a token threshold and a full set of rates. */
export function readLongContextRates(fields: Fields): LongContextRates | undefined {
  if (fields['above'] === undefined) return undefined;
  const above = readFields(fields['above'], 'above');
  refuseUnknownFields(above, ['input_tokens', ...RATE_FIELDS], 'above.');
  const inputTokens = readTokens(above, 'input_tokens', 'above.');
  if (inputTokens === undefined) throw new FieldError('above.input_tokens', 'is required');
  return { inputTokens, ...readRates(above, 'above.') };
}

/** Reads a token limit: a whole number from 1. */
export function readTokens(fields: Fields, name: string, prefix = ''): number | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 1 || value > TOKENS_MAX) {
    throw new FieldError(`${prefix}${name}`, `must be a whole number between 1 and ${TOKENS_MAX}`);
  }
  return value;
}

/** Reads an RFC 3339 instant in UTC, or a date meaning its midnight, to Unix milliseconds. */
export function readInstant(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  const epochMs = typeof value === 'string' ? parseInstant(value) : undefined;
  if (epochMs === undefined) {
    throw new FieldError(name, 'must be an RFC 3339 time in UTC, such as 2026-01-31T00:00:00Z');
  }
  return epochMs;
}

/** Reads what the model is for. */
export function readMode(fields: Fields): ModelMode | undefined {
  const value = fields['mode'];
  if (value === undefined) return undefined;
  const mode = MODEL_MODES.find((known) => known === value);
  if (mode === undefined) throw new FieldError('mode', `must be one of ${MODEL_MODES.join(', ')}`);
  return mode;
}

/** Requires the name of a provider or a model. */
export function readName(value: unknown, field: string): string {
  if (typeof value !== 'string' || !NAME.test(value)) throw new FieldError(field, NAME_PROBLEM);
  return value;
}

function parseInstant(text: string): number | undefined {
  const epochMs = INSTANT.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(epochMs)) return undefined;
  // Date.parse takes 30 February for 2 March, so the text must survive the round trip.
  return new Date(epochMs).toISOString().startsWith(text.slice(0, SECOND_LENGTH)) ? epochMs : undefined;
}

function readRequiredPrice(fields: Fields, name: string, prefix: string): NanosPerMillion {
  const price = readPrice(fields, name, prefix);
  if (price === undefined) throw new FieldError(`${prefix}${name}`, 'is required');
  return price;
}

function readPrice(fields: Fields, name: string, prefix: string): NanosPerMillion | undefined {
  const value = fields[name];
  if (value === undefined) return undefined;
  const price =
    typeof value === 'string' || typeof value === 'number' ? parseUsdPerMillion(value) : undefined;
  if (price === undefined) {
    throw new FieldError(
      `${prefix}${name}`,
      'must be US dollars as a decimal string, at most 1000000, with up to 9 decimals',
    );
  }
  return price;
}
