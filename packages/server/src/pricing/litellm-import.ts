/** Responsible for importing LiteLLM's price map (`model_prices_and_context_window.json` of github.com/BerriAI/litellm). */
import {
  type LongContextRates,
  type ModelMode,
  type ModelPrice,
  type NanosPerMillion,
  nanosPerMillion,
  type Rates,
} from './model-price.ts';
import { FieldError, type Fields, readFields, readName } from './price-fields.ts';
import { parseUsdPerToken } from './token-cost.ts';
import { TOKENS_MAX } from './cost.ts';

/** The most entries that one import reads. */
export const LITELLM_ENTRIES_MAX = 50_000;

/** An entry that was not imported, by its name in the map. */
export interface SkippedEntry {
  readonly model: string;
  readonly reason: string;
}

/** Every entry of the map is in exactly one of the two lists. */
export interface LitellmImport {
  readonly models: ModelPrice[];
  readonly skipped: SkippedEntry[];
}

const PROVIDERS = new Map([
  ['openai', 'openai'],
  ['text-completion-openai', 'openai'],
  ['anthropic', 'anthropic'],
  ['gemini', 'google'],
  ['deepseek', 'deepseek'],
]);

const MODES = new Map<string, ModelMode>([
  ['chat', 'chat'],
  ['responses', 'chat'],
  ['completion', 'completion'],
  ['embedding', 'embedding'],
  ['image_generation', 'image'],
  ['audio_speech', 'speech'],
  ['audio_transcription', 'transcription'],
  ['moderation', 'moderation'],
]);

const INPUT = 'input_cost_per_token';
const OUTPUT = 'output_cost_per_token';
/** Classes of text that fall back to their parent within a tier. */
const TEXT_CLASSES = {
  cachedInputPerMillion: 'cache_read_input_token_cost',
  cacheWritePerMillion: 'cache_creation_input_token_cost',
  longCacheWritePerMillion: 'cache_creation_input_token_cost_above_1hr',
  reasoningPerMillion: 'output_cost_per_reasoning_token',
} as const satisfies Partial<Record<keyof Rates, string>>;
/** Classes that cost in every tier what they cost in the first, unless the tier says otherwise. */
const MEDIA_CLASSES = {
  audioInputPerMillion: 'input_cost_per_audio_token',
  cachedAudioInputPerMillion: 'cache_read_input_audio_token_cost',
  imageInputPerMillion: 'input_cost_per_image_token',
  audioOutputPerMillion: 'output_cost_per_audio_token',
  imageOutputPerMillion: 'output_cost_per_image_token',
} as const satisfies Partial<Record<keyof Rates, string>>;
const COST_FIELDS: readonly string[] = [
  INPUT,
  OUTPUT,
  ...Object.values(TEXT_CLASSES),
  ...Object.values(MEDIA_CLASSES),
];
const FREE = nanosPerMillion(0n);

/** The end of the field names of a long tier: `_above_200k_tokens`. */
const LONG_TIER = /_above_(\d{1,6})k_tokens$/;

/** Seconds of sound, pictures and their pixels, letters, searches: whatever is counted that is no token known here. */
const OTHER_UNIT = /^(input|output)_cost_per_(?!(?:(?:reasoning|audio|image)_)?token(?:_|$))([a-z]+)/;
/** Whose price by the token tells what a unit costs, too. */
const TOKENS_OF_UNITS: Readonly<Record<string, string>> = {
  character: 'token',
  image: 'image_token',
  pixel: 'image_token',
  audio: 'audio_token',
  second: 'audio_token',
  minute: 'audio_token',
};
/** What a search costs, by its size. Other models search only where a call asks for it, which is refused. */
const SEARCH_PRICE = 'search_context_cost_per_query';
const SEARCHES = /search/;

/** The documentation entry at the head of the map. */
const SAMPLE_ENTRY = 'sample_spec';

const SOURCE = 'https://github.com/BerriAI/litellm';

/**
 * Reads the parsed JSON of a price map. The prices hold from `effectiveFromMs`. An entry of an unknown
 * provider or mode, without a token price, or with a price that cannot be read is skipped with a reason.
 * Throws `Error` when the whole is not an object or is too large.
 */
export function importLitellmPrices(map: unknown, effectiveFromMs: number): LitellmImport {
  if (typeof map !== 'object' || map === null || Array.isArray(map))
    throw new Error('the price map must be an object');
  const entries = Object.entries(map);
  if (entries.length > LITELLM_ENTRIES_MAX)
    throw new Error(`the price map has more than ${LITELLM_ENTRIES_MAX} entries`);

  const models = new Map<string, ModelPrice>();
  const skipped: SkippedEntry[] = [];
  for (const [name, value] of entries) {
    try {
      const price = readEntry(name, value, effectiveFromMs);
      const key = `${price.provider}/${price.model}`;
      if (models.has(key)) throw new FieldError(key, 'is already imported from another entry');
      models.set(key, price);
    } catch (error) {
      if (!(error instanceof FieldError)) throw error;
      skipped.push({ model: name, reason: error.message });
    }
  }
  return { models: [...models.values()], skipped };
}

function readEntry(name: string, value: unknown, effectiveFromMs: number): ModelPrice {
  if (name === SAMPLE_ENTRY) throw new FieldError(name, 'describes the format');
  const fields = readFields(value, 'entry');
  const vendor = String(fields['litellm_provider']);
  const provider = PROVIDERS.get(vendor);
  if (provider === undefined)
    throw new FieldError('litellm_provider', `${vendor} is not a provider of the catalog`);
  const mode = MODES.get(String(fields['mode']));
  if (mode === undefined)
    throw new FieldError('mode', `${String(fields['mode'])} is not priced by tokens here`);
  refuseOtherUnits(name, fields);
  const model = readName(name.startsWith(`${vendor}/`) ? name.slice(vendor.length + 1) : name, 'name');
  const above = readAbove(fields);
  const contextTokens = readTokenLimit(fields, 'max_input_tokens');
  const outputTokensMax = readTokenLimit(fields, 'max_output_tokens');
  return {
    provider,
    model,
    upstreamModel: model,
    aliases: [],
    mode,
    ...readRates(fields, ''),
    ...(above === undefined ? {} : { above }),
    ...(contextTokens === undefined ? {} : { contextTokens }),
    ...(outputTokensMax === undefined ? {} : { outputTokensMax }),
    effectiveFromMs,
    source: typeof fields['source'] === 'string' && fields['source'] !== '' ? fields['source'] : SOURCE,
  };
}

/** Where something has a price that no price of a token tells, tokens would not tell what a call costs. */
function refuseOtherUnits(name: string, fields: Fields): void {
  const isByTokens = COST_FIELDS.some((field) => isDear(fields[field]));
  for (const field of Object.keys(fields)) {
    const unit = OTHER_UNIT.exec(field);
    if (unit === null || (fields[field] ?? 0) === 0) continue;
    if (!isByTokens) throw new FieldError('entry', `is not priced by tokens but has ${field}`);
    const [, direction = '', counted = ''] = unit;
    const token = TOKENS_OF_UNITS[counted];
    if (token === undefined || !isDear(fields[`${direction}_cost_per_${token}`])) {
      throw new FieldError(field, 'is charged besides tokens, and no price of a token tells it');
    }
  }
  if (SEARCHES.test(name) && Object.values(Object(fields[SEARCH_PRICE]) as object).some(isDear)) {
    throw new FieldError(SEARCH_PRICE, 'is charged by the search, and this model always searches');
  }
}

function isDear(price: unknown): boolean {
  return typeof price === 'number' && price > 0;
}

/** LiteLLM lists a price of the long tier only where it differs; input and output then stay at the base price. */
function readAbove(fields: Fields): LongContextRates | undefined {
  const tiers = new Set<string>();
  for (const name of Object.keys(fields)) {
    const tier = LONG_TIER.exec(name);
    if (tier !== null && COST_FIELDS.includes(name.slice(0, tier.index))) tiers.add(tier[0]);
  }
  const [tier, another] = tiers;
  if (tier === undefined) return undefined;
  if (another !== undefined) throw new FieldError('entry', 'has more than one long-context threshold');
  return { inputTokens: Number(LONG_TIER.exec(tier)?.[1]) * 1000, ...readRates(fields, tier) };
}

function readRates(fields: Fields, tier: string): Rates {
  const inputPerMillion = readTierCost(fields, INPUT, tier);
  const outputPerMillion = readTierCost(fields, OUTPUT, tier) ?? readOnlyOutput(fields, tier);
  if (inputPerMillion === undefined) throw new FieldError(INPUT, 'is missing');
  if (outputPerMillion === undefined) throw new FieldError(OUTPUT, 'is missing');
  const optional: Partial<Record<keyof Rates, NanosPerMillion>> = {};
  for (const [rate, field] of Object.entries(TEXT_CLASSES) as [keyof typeof TEXT_CLASSES, string][]) {
    const price = readCost(fields, `${field}${tier}`);
    if (price !== undefined) optional[rate] = price;
  }
  for (const [rate, field] of Object.entries(MEDIA_CLASSES) as [keyof typeof MEDIA_CLASSES, string][]) {
    const price = readTierCost(fields, field, tier);
    if (price !== undefined) optional[rate] = price;
  }
  return { inputPerMillion, outputPerMillion, ...optional };
}

/** Where no text comes out, LiteLLM may leave its price out: what does come out is the output, and of an embedding nothing. */
function readOnlyOutput(fields: Fields, tier: string): NanosPerMillion | undefined {
  if (fields['mode'] === 'embedding') return FREE;
  return (
    readTierCost(fields, MEDIA_CLASSES.imageOutputPerMillion, tier) ??
    readTierCost(fields, MEDIA_CLASSES.audioOutputPerMillion, tier)
  );
}

function readTierCost(fields: Fields, field: string, tier: string): NanosPerMillion | undefined {
  return readCost(fields, `${field}${tier}`) ?? readCost(fields, field);
}

function readCost(fields: Fields, name: string): NanosPerMillion | undefined {
  const value = fields[name];
  if (value === undefined || value === null) return undefined;
  const price = parseUsdPerToken(value);
  if (price === undefined) throw new FieldError(name, 'is not a price per token');
  return price;
}

/** Limits are hints in this map, sometimes text or missing: one that is not a whole number is left unknown. */
function readTokenLimit(fields: Fields, name: string): number | undefined {
  const value = fields[name];
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 && value <= TOKENS_MAX
    ? value
    : undefined;
}
