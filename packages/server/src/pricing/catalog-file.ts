/** Responsible for the prices that Keyfold ships: reads and validates `catalog.json`. */
import shippedCatalog from './catalog.json' with { type: 'json' };
import type { ModelPrice } from './model-price.ts';
import {
  FieldError,
  type Fields,
  RATE_FIELDS,
  readFields,
  readInstant,
  readLongContextRates,
  readMode,
  readName,
  readRates,
  readTokens,
  refuseUnknownFields,
} from './price-fields.ts';

const ENTRY_FIELDS: readonly string[] = [
  'provider',
  'model',
  'upstream_model',
  'aliases',
  'mode',
  ...RATE_FIELDS,
  'above',
  'context_tokens',
  'output_tokens_max',
  'effective_from',
  'source',
  'as_of',
  'note',
];

/** The prices in the file that this build ships with. Throws `Error` naming the entry that is wrong. */
export function loadShippedPrices(): ModelPrice[] {
  return parseCatalogFile(shippedCatalog);
}

/**
 * Reads the parsed JSON of a catalog file: `{"models": [entry, …]}`. An entry without `effective_from`
 * holds since ever; `as_of` says when its source was read, `note` what to know about it. Throws `Error` naming the entry that is wrong.
 */
export function parseCatalogFile(file: unknown): ModelPrice[] {
  const models = readFields(file, 'catalog')['models'];
  if (!Array.isArray(models)) throw new Error('catalog: models must be a list');
  return models.map((entry: unknown, index) => parseEntry(entry, index));
}

function parseEntry(value: unknown, index: number): ModelPrice {
  let name = `entry ${index}`;
  try {
    const fields = readFields(value, 'it');
    if (typeof fields['provider'] === 'string' && typeof fields['model'] === 'string') {
      name = `${fields['provider']}/${fields['model']}`;
    }
    return readEntry(fields);
  } catch (error) {
    if (error instanceof FieldError) throw new Error(`catalog: ${name}: ${error.message}`, { cause: error });
    throw error;
  }
}

function readEntry(fields: Fields): ModelPrice {
  refuseUnknownFields(fields, ENTRY_FIELDS);
  const model = readName(fields['model'], 'model');
  const mode = readMode(fields);
  if (mode === undefined) throw new FieldError('mode', 'is required');
  if (readInstant(fields, 'as_of') === undefined) throw new FieldError('as_of', 'is required');
  const above = readLongContextRates(fields);
  const contextTokens = readTokens(fields, 'context_tokens');
  const outputTokensMax = readTokens(fields, 'output_tokens_max');
  return {
    provider: readName(fields['provider'], 'provider'),
    model,
    upstreamModel:
      fields['upstream_model'] === undefined ? model : readName(fields['upstream_model'], 'upstream_model'),
    aliases: readAliases(fields['aliases']),
    mode,
    ...readRates(fields),
    ...(above === undefined ? {} : { above }),
    ...(contextTokens === undefined ? {} : { contextTokens }),
    ...(outputTokensMax === undefined ? {} : { outputTokensMax }),
    effectiveFromMs: readInstant(fields, 'effective_from') ?? 0,
    source: readSource(fields['source']),
  };
}

function readAliases(value: unknown): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new FieldError('aliases', 'must be a list');
  return value.map((alias: unknown) => readName(alias, 'aliases'));
}

function readSource(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new FieldError('source', 'is required');
  return value;
}
