/** What a key may ask about itself: is it valid, what is left, which models it may use. */
import { ZERO_NANOS, formatUsd } from '@keyfold/protocol';
import { checkModel, permissionsOf } from '../../access/authorize.ts';
import type { CredentialStore } from '../../credentials/credential-store.ts';
import { Denial } from '../../kernel/denial.ts';
import type { Clock } from '../../kernel/clock.ts';
import { type Principal, limitSubjectsOf } from '../../keys/key.ts';
import type { BudgetState } from '../../ledger/budget.ts';
import type { CreditStore } from '../../ledger/credit/credit-store.ts';
import { type BudgetStore, idsOf } from '../../ledger/budget-store.ts';
import type { LedgerReports } from '../../ledger/reports.ts';
import type { LimitState, Limiter } from '../../limits/limiter.ts';
import type { PriceStore } from '../../pricing/price-store.ts';
import { type OfferedModel, listOfferedModels } from '../../routing/offered-models.ts';
import type { RouteStore } from '../../routing/route-store.ts';
import { type Endpoint, type Json, defineEndpoint, ok } from '../endpoint.ts';
import { renderLimits } from '../limits.ts';
import { renderBudgets } from './key-view.ts';
import { renderTime } from '../list-page.ts';
import { budgetView, listOf, z } from '../schemas.ts';

export interface SelfRooms {
  readonly budgets: BudgetStore;
  readonly credits: CreditStore;
  readonly limiter: Limiter;
  readonly reports: LedgerReports;
  readonly credentials: CredentialStore;
  readonly prices: PriceStore;
  readonly routes: RouteStore;
  readonly clock: Clock;
}

/** What stands for "no limit" where clients compare a number with zero. */
export const QUOTA_UNLIMITED = 1_000_000_000;

const TAG = 'The key itself';
const modelView = z.object({
  id: z.string(),
  object: z.literal('model'),
  created: z.number(),
  owned_by: z.string(),
});
const validation = z.object({
  valid: z.boolean(),
  remaining_quota: z.number(),
  key_id: z.string(),
  permissions: z.array(z.string()),
  limits: z.looseObject({}),
  budgets: z.array(budgetView),
  version: z.number(),
  issued_at: z.string(),
  expires_at: z.string().nullable(),
  auto_rotate: z.boolean(),
});

export function selfEndpoints(rooms: SelfRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'get',
      path: '/v1/keys/validate',
      permission: undefined,
      tag: TAG,
      summary: 'Is this key valid, and how many calls could it start now?',
      acceptsVersion1: true,
      refusal: 'validation',
      response: { status: 200, schema: validation },
      handle: async ({ principal }) => {
        const { key, version } = principal;
        const states = await callBudgets(rooms, principal);
        return ok({
          valid: true,
          remaining_quota: await remainingQuota(rooms, principal, states),
          key_id: key.id,
          permissions: permissionsOf(principal),
          limits: renderLimits(key.limits),
          budgets: renderBudgets(states),
          version: version.version,
          issued_at: renderTime(version.createdAtMs),
          expires_at: renderTime(endOf(principal)),
          auto_rotate: key.autoRotate,
        });
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/usage/current',
      permission: undefined,
      tag: TAG,
      summary: 'Requests and tokens this minute, cost today and this month, and what remains.',
      response: { status: 200, schema: z.looseObject({}) },
      handle: async ({ principal }) => {
        const { key } = principal;
        const { requests, tokens } = rooms.limiter.peek(limitSubjectsOf(principal));
        const spent = await rooms.reports.spentByKey(key);
        const rate = (state: LimitState['requests']): Json =>
          state === undefined
            ? null
            : { limit: state.limit, used: state.limit - state.remaining, remaining: state.remaining };
        return ok({
          key_id: key.id,
          requests_this_minute: rate(requests),
          tokens_this_minute: rate(tokens),
          cost_today_usd: formatUsd(spent.today),
          cost_this_month_usd: formatUsd(spent.thisMonth),
          budgets: renderBudgets(await callBudgets(rooms, principal)),
        });
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/models',
      permission: undefined,
      tag: TAG,
      summary: 'The models that this key may use.',
      acceptsVersion1: true,
      refusal: 'openai',
      response: { status: 200, schema: listOf(modelView) },
      handle: async ({ principal, header }) => {
        const models = await allowedModels(rooms, principal);
        if (header(ANTHROPIC_HEADER) !== undefined) return ok(renderAnthropicModels(models));
        return ok({ object: 'list', data: models.map((model) => renderModel(model)) });
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/models/{+id}',
      permission: undefined,
      tag: TAG,
      summary: 'One of the models that this key may use, by its name or by `provider/model`.',
      acceptsVersion1: true,
      refusal: 'openai',
      params: z.strictObject({ id: z.string().min(1).max(401) }),
      response: { status: 200, schema: modelView },
      handle: ({ principal, params, header }) =>
        findModel(rooms, principal, {
          name: params.id,
          render: header(ANTHROPIC_HEADER) === undefined ? renderModel : renderAnthropicModel,
        }),
    }),
  ];
}

export async function callBudgets(rooms: SelfRooms, { key, parent }: Principal): Promise<BudgetState[]> {
  const { organizationId, projectId } = key;
  const budgets = await rooms.budgets.load(
    idsOf({ organizationId, projectId, keyId: key.id, parentId: parent?.key.id }),
  );
  return rooms.budgets.statesOf(budgets);
}

/** When the first of all ends that a key is under comes: its own, its version's, and those of its parent. */
export function endOf({ key, version, parent }: Principal): number | undefined {
  const all = [key, version, ...(parent === undefined ? [] : [parent.key, parent.version])];
  const ends = all.map(({ expiresAtMs }) => expiresAtMs).filter((end) => end !== undefined);
  return ends.length === 0 ? undefined : Math.min(...ends);
}

/** Calls that could start now: what the request rate leaves, and none when a budget or the credit has nothing left. */
export async function remainingQuota(
  { limiter, credits }: SelfRooms,
  principal: Principal,
  budgets: readonly BudgetState[],
): Promise<number> {
  // A test key's calls cost nothing.
  const isFree = principal.key.kind === 'test';
  const account = isFree ? undefined : await credits.load(principal.key.organizationId);
  const money = account === undefined ? budgets : [...budgets, await credits.stateOf(account)];
  const limits = limiter.peek(limitSubjectsOf(principal));
  if (!isFree && money.some(({ remaining }) => remaining <= ZERO_NANOS)) return 0;
  if (limits.tokens !== undefined && limits.tokens.remaining === 0) return 0;
  return limits.requests?.remaining ?? QUOTA_UNLIMITED;
}

async function allowedModels(rooms: SelfRooms, principal: Principal): Promise<OfferedModel[]> {
  const { key, organizationRevision } = principal;
  const offered = listOfferedModels({
    credentials: await rooms.credentials.forOrganization(key.organizationId, organizationRevision),
    routes: await rooms.routes.forOrganization(key.organizationId, organizationRevision),
    catalog: await rooms.prices.catalog(key.organizationId, organizationRevision),
    nowMs: rooms.clock.nowMs(),
  });
  // A bare name with a slash in it would be taken for a provider's.
  return offered.filter(
    ({ id, model }) => checkModel(principal, model.includes('/') ? [id] : [id, model]) === undefined,
  );
}

async function findModel(
  rooms: SelfRooms,
  principal: Principal,
  { name, render }: { readonly name: string; readonly render: (model: OfferedModel) => Json },
) {
  const models = await allowedModels(rooms, principal);
  const model = models.find((each) => each.id === name || each.model === name);
  return model === undefined
    ? new Denial('model_not_found', {
        message: `There is no model '${name}' that this key may use.`,
        param: 'model',
      })
    : ok(render(model));
}

function renderModel({ id, provider }: OfferedModel): Json {
  return { id, object: 'model', created: 0, owned_by: provider };
}

/** Who sends it wants what Anthropic's API answers. */
const ANTHROPIC_HEADER = 'anthropic-version';

/** Anthropic gives the epoch where it does not know when a model was released. */
function renderAnthropicModel({ id }: OfferedModel): Json {
  return { type: 'model', id, display_name: id, created_at: '1970-01-01T00:00:00Z' };
}

function renderAnthropicModels(models: readonly OfferedModel[]): Json {
  return {
    data: models.map((model) => renderAnthropicModel(model)),
    has_more: false,
    first_id: models[0]?.id ?? null,
    last_id: models.at(-1)?.id ?? null,
  };
}
