/** What the API shows of a model's price: decimal strings of US dollars per million tokens. */
import { type ModelPrice, type Rates, formatUsdPerMillion } from '../../pricing/model-price.ts';
import { OPTIONAL_RATE_FIELDS } from '../../pricing/price-fields.ts';
import type { Json } from '../endpoint.ts';
import { renderTime } from '../list-page.ts';
import { z } from '../schemas.ts';

const optionalRate = z.string().nullable();
const rates = {
  input_usd_per_million: z.string(),
  output_usd_per_million: z.string(),
  ...Object.fromEntries(OPTIONAL_RATE_FIELDS.map(([field]) => [field, optionalRate])),
};

export const priceView = z
  .object({
    object: z.literal('model_price'),
    id: z.string(),
    provider: z.string(),
    model: z.string(),
    aliases: z.array(z.string()),
    mode: z.string(),
    ...rates,
    above: z.object({ input_tokens: z.number(), ...rates }).nullable(),
    context_tokens: z.number().nullable(),
    output_tokens_max: z.number().nullable(),
    effective_from: z.string().nullable(),
    source: z.string(),
  })
  .openapi('ModelPrice');

export function priceId({ provider, model }: ModelPrice): string {
  return `${provider}/${model}`;
}

/** A class without a price of its own is null: it costs what its parent does. */
export function renderPrice(price: ModelPrice): Json {
  return {
    object: 'model_price',
    id: priceId(price),
    provider: price.provider,
    model: price.model,
    aliases: price.aliases,
    mode: price.mode,
    ...renderRates(price),
    above:
      price.above === undefined
        ? null
        : { input_tokens: price.above.inputTokens, ...renderRates(price.above) },
    context_tokens: price.contextTokens ?? null,
    output_tokens_max: price.outputTokensMax ?? null,
    effective_from: price.effectiveFromMs === 0 ? null : renderTime(price.effectiveFromMs),
    source: price.source,
  };
}

function renderRates(of: Rates): { readonly [name: string]: Json } {
  const optional = OPTIONAL_RATE_FIELDS.map(([field, rate]) => {
    const price = of[rate];
    return [field, price === undefined ? null : formatUsdPerMillion(price)] as const;
  });
  return {
    input_usd_per_million: formatUsdPerMillion(of.inputPerMillion),
    output_usd_per_million: formatUsdPerMillion(of.outputPerMillion),
    ...Object.fromEntries(optional),
  };
}
