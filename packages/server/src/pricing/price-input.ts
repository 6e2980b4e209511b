/** Responsible for turning the body of `PUT /v1/catalog/models/{provider}/{model}` into a price, or naming the field that is wrong. */
import type { ModelPrice } from './model-price.ts';
import {
  FieldError,
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

/** The two path segments and the parsed JSON body of the request, none of them checked yet. */
export interface PriceInput {
  readonly provider: string;
  readonly model: string;
  readonly body: unknown;
}

/** A price, or what to tell the client: `field` is a path such as `above.input_tokens`, `problem` completes it to a sentence. */
export type PriceInputResult =
  | { readonly valid: true; readonly price: ModelPrice }
  | { readonly valid: false; readonly field: string; readonly problem: string };

const BODY_FIELDS: readonly string[] = [
  ...RATE_FIELDS,
  'above',
  'mode',
  'context_tokens',
  'output_tokens_max',
  'effective_from',
];

/** What an operator's price says where a shipped price names a page. */
export const OPERATOR_SOURCE = 'operator';

/**
 * Checks a price that an operator sets. Prices are decimal strings of US dollars per million tokens, or
 * numbers whose shortest text is such a decimal; absent classes fall back as `Rates` says. The price holds
 * from `effective_from`, or from `nowMs`. It is whole: a class or a long tier that it does not state is not
 * taken over from the price before it. The catalog gives it the identity of the shipped model that it reprices.
 */
export function parsePriceInput(input: PriceInput, nowMs: number): PriceInputResult {
  try {
    return { valid: true, price: readPriceInput(input, nowMs) };
  } catch (error) {
    if (error instanceof FieldError) return { valid: false, field: error.field, problem: error.problem };
    throw error;
  }
}

function readPriceInput(input: PriceInput, nowMs: number): ModelPrice {
  const provider = readName(input.provider, 'provider');
  const model = readName(input.model, 'model');
  const fields = readFields(input.body, 'body');
  refuseUnknownFields(fields, BODY_FIELDS);
  const above = readLongContextRates(fields);
  const contextTokens = readTokens(fields, 'context_tokens');
  const outputTokensMax = readTokens(fields, 'output_tokens_max');
  return {
    provider,
    model,
    upstreamModel: model,
    aliases: [],
    mode: readMode(fields) ?? 'chat',
    ...readRates(fields),
    ...(above === undefined ? {} : { above }),
    ...(contextTokens === undefined ? {} : { contextTokens }),
    ...(outputTokensMax === undefined ? {} : { outputTokensMax }),
    effectiveFromMs: readInstant(fields, 'effective_from') ?? nowMs,
    source: OPERATOR_SOURCE,
  };
}
