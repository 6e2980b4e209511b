/** The catalog: models with their prices, one price set, many imported. */
import type { Clock } from '../../kernel/clock.ts';
import { Denial } from '../../kernel/denial.ts';
import type { Principal } from '../../keys/key.ts';
import type { Catalog } from '../../pricing/catalog.ts';
import { type LitellmImport, importLitellmPrices } from '../../pricing/litellm-import.ts';
import { type ModelPrice, formatUsdPerMillion } from '../../pricing/model-price.ts';
import { OPTIONAL_RATE_FIELDS, RATE_FIELDS } from '../../pricing/price-fields.ts';
import { parsePriceInput } from '../../pricing/price-input.ts';
import type { PriceStore } from '../../pricing/price-store.ts';
import { SANDBOX, VENDORS } from '../../routing/vendors.ts';
import { describeChange } from '../describe-change.ts';
import { type Change, type Endpoint, defineEndpoint, ok } from '../endpoint.ts';
import { cutPage, renderPage } from '../list-page.ts';
import { priceId, priceView, renderPrice } from './price-view.ts';
import { listOf, listQuery, z } from '../schemas.ts';

export interface CatalogRooms {
  readonly prices: PriceStore;
  readonly clock: Clock;
}

const TAG = 'Catalog';
const ID_CHARACTERS_MAX = 401;

/** Described here, judged by `parsePriceInput`, which names the field that is wrong. */
const price = z.unknown().openapi({ type: 'string', example: '2.50' });
const tokens = z.unknown().openapi({ type: 'integer', minimum: 1 });
const rates = Object.fromEntries(RATE_FIELDS.map((field) => [field, price.optional()]));
const priceBody = z
  .strictObject({
    ...rates,
    above: z.strictObject({ input_tokens: tokens.optional(), ...rates }).optional(),
    mode: z.unknown().openapi({ type: 'string', example: 'chat' }).optional(),
    context_tokens: tokens.optional(),
    output_tokens_max: tokens.optional(),
    effective_from: z.unknown().openapi({ type: 'string', format: 'date-time' }).optional(),
  })
  .openapi({ required: ['input_usd_per_million', 'output_usd_per_million'] });

const importView = z.object({
  imported: z.number(),
  skipped: z.array(z.object({ model: z.string(), reason: z.string() })),
});

export function catalogEndpoints(rooms: CatalogRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'get',
      path: '/v1/catalog/models',
      permission: 'catalog:read',
      tag: TAG,
      summary: 'List models by name, with the price that is in force now.',
      query: listQuery.extend({
        after: z.string().max(ID_CHARACTERS_MAX).optional(),
        before: z.string().max(ID_CHARACTERS_MAX).optional(),
        provider: z.string().max(200).optional(),
        model: z.string().max(200).optional(),
      }),
      response: { status: 200, schema: listOf(priceView) },
      handle: async ({ principal, query }) => {
        const catalog = await rooms.prices.catalog(
          principal.key.organizationId,
          principal.organizationRevision,
        );
        const wanted = catalog
          .list(rooms.clock.nowMs())
          .filter(({ provider }) => provider === (query.provider ?? provider))
          .filter(({ model, aliases }) => [model, ...aliases].includes(query.model ?? model));
        const of = { id: priceId, view: renderPrice, order: 'alphabetical' } as const;
        return ok(renderPage(cutPage(wanted, query, of), query, of));
      },
    }),
    defineEndpoint({
      method: 'put',
      path: '/v1/catalog/models/{provider}/{+model}',
      permission: 'catalog:write',
      tag: TAG,
      summary: 'Add a model, or give it a new price. The name of a model may hold slashes.',
      params: z.strictObject({ provider: z.string().min(1).max(200), model: z.string().min(1).max(200) }),
      body: priceBody,
      response: { status: 200, schema: priceView },
      handle: ({ principal, params, body }) => setPrice(rooms, principal, { ...params, body }),
    }),
    defineEndpoint({
      method: 'post',
      path: '/v1/catalog/import',
      permission: 'catalog:write',
      tag: TAG,
      summary: "Import LiteLLM's price map (model_prices_and_context_window.json), in force from now on.",
      body: z.looseObject({}),
      response: { status: 200, schema: importView },
      handle: async ({ principal, body }) => importPrices(rooms, principal, body),
    }),
  ];
}

async function setPrice(
  rooms: CatalogRooms,
  by: Principal,
  input: { readonly provider: string; readonly model: string; readonly body: unknown },
): Promise<Change | Denial> {
  const { organizationId } = by.key;
  const nowMs = rooms.clock.nowMs();
  const parsed = parsePriceInput(input, nowMs);
  if (!parsed.valid) {
    return new Denial('invalid_request', {
      message: `'${parsed.field}' ${parsed.problem}.`,
      param: parsed.field,
    });
  }
  const catalog = await rooms.prices.catalog(organizationId, by.organizationRevision);
  const { price } = parsed;
  if (!knowsProvider(catalog, price.provider, nowMs)) {
    return new Denial('invalid_request', {
      message: `There is no provider '${price.provider}'.`,
      param: 'provider',
    });
  }
  const before = catalog.find(price.provider, price.model, nowMs);
  const named = before === undefined ? price : { ...price, model: before.model, aliases: before.aliases };
  return {
    steps: [rooms.prices.setStep(organizationId, price)],
    events: [
      {
        action: 'price.set',
        target: priceId(named),
        detail: {
          ...eventDetail(price),
          ...(before === undefined ? {} : describeChange(eventDetail(before), eventDetail(price))),
        },
      },
    ],
    reply: { status: 200, body: renderPrice(named) },
  };
}

function importPrices(rooms: CatalogRooms, by: Principal, map: unknown): Change | Denial {
  let read: LitellmImport;
  try {
    read = importLitellmPrices(map, rooms.clock.nowMs());
  } catch (error) {
    return new Denial('invalid_request', {
      message: `${error instanceof Error ? error.message : 'invalid'}.`,
    });
  }
  const { models, skipped } = read;
  return {
    steps: models.map((model) => rooms.prices.setStep(by.key.organizationId, model)),
    events: [
      {
        action: 'prices.imported',
        target: 'catalog',
        detail: { imported: models.length, skipped: skipped.length },
      },
    ],
    reply: {
      status: 200,
      body: {
        imported: models.length,
        skipped: skipped.map(({ model, reason }) => ({ model, reason })),
      },
    },
  };
}

/** A price under a misspelt provider would be a price that no call finds. */
function knowsProvider(catalog: Catalog, provider: string, nowMs: number): boolean {
  if (provider === SANDBOX || VENDORS.has(provider)) return true;
  return catalog.list(nowMs).some((price) => price.provider === provider);
}

function eventDetail(price: ModelPrice) {
  return { effective_from: new Date(price.effectiveFromMs).toISOString(), ...ratesThatAre(price) };
}

/** The classes that have a price of their own. */
function ratesThatAre(price: ModelPrice): Readonly<Record<string, string>> {
  const optional = OPTIONAL_RATE_FIELDS.flatMap(([field, rate]) => {
    const each = price[rate];
    return each === undefined ? [] : [[field, formatUsdPerMillion(each)] as const];
  });
  return {
    input_usd_per_million: formatUsdPerMillion(price.inputPerMillion),
    output_usd_per_million: formatUsdPerMillion(price.outputPerMillion),
    ...Object.fromEntries(optional),
  };
}
