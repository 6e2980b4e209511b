/** What a key may ask about itself: is it valid, what is left, which models it may use. */
import { formatUsd, nanos } from '@keyfold/protocol';
import { checkModel } from '../access/authorize.ts';
import type { CredentialStore } from '../credentials/credential-store.ts';
import { Denial } from '../kernel/denial.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Key, Principal } from '../keys/key.ts';
import type { BudgetState } from '../ledger/budget.ts';
import type { BudgetStore } from '../ledger/budget-store.ts';
import type { LedgerReports } from '../ledger/reports.ts';
import type { LimitState, Limiter } from '../limits/limiter.ts';
import type { PriceStore } from '../pricing/price-store.ts';
import { type OfferedModel, listOfferedModels } from '../routing/offered-models.ts';
import { type Endpoint, type Json, defineEndpoint, ok } from './endpoint.ts';
import { renderBudgets, renderLimits } from './key-view.ts';
import { renderTime } from './list-page.ts';
import { budgetView, listOf, z } from './schemas.ts';

export interface SelfRooms {
  readonly budgets: BudgetStore;
  readonly limiter: Limiter;
  readonly reports: LedgerReports;
  readonly credentials: CredentialStore;
  readonly prices: PriceStore;
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
  expires_at: z.string().nullable(),
});

export function selfEndpoints(rooms: SelfRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'get',
      path: '/v1/keys/validate',
      permission: undefined,
      tag: TAG,
      summary: 'Is this key valid, and how many calls could it start now?',
      refusal: 'validation',
      response: { status: 200, schema: validation },
      handle: async ({ principal }) => {
        const { key } = principal;
        const states = await callBudgets(rooms, key);
        return ok({
          valid: true,
          remaining_quota: remainingQuota(rooms.limiter.peek(key.id, key.limits), states),
          key_id: key.id,
          permissions: key.permissions,
          limits: renderLimits(key),
          budgets: renderBudgets(states),
          expires_at: renderTime(endOf(principal)),
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
        const { requests, tokens } = rooms.limiter.peek(key.id, key.limits);
        const spent = await rooms.reports.spentByKey(key.id);
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
          budgets: renderBudgets(await callBudgets(rooms, key)),
        });
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/models',
      permission: undefined,
      tag: TAG,
      summary: 'The models that this key may use.',
      refusal: 'openai',
      response: { status: 200, schema: listOf(modelView) },
      handle: async ({ principal }) => {
        const models = await allowedModels(rooms, principal);
        return ok({ object: 'list', data: models.map((model) => renderModel(model)) });
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/models/{+id}',
      permission: undefined,
      tag: TAG,
      summary: 'One of the models that this key may use, by its name or by `provider/model`.',
      refusal: 'openai',
      params: z.strictObject({ id: z.string().min(1).max(401) }),
      response: { status: 200, schema: modelView },
      handle: ({ principal, params }) => findModel(rooms, principal, params.id),
    }),
  ];
}

export async function callBudgets(rooms: SelfRooms, key: Key): Promise<BudgetState[]> {
  const budgets = await rooms.budgets.load([key.organizationId, key.projectId, key.id]);
  return rooms.budgets.statesOf(budgets);
}

/** When this version or its key ends, whichever is first. */
export function endOf({ key, version }: Principal): number | undefined {
  const ends = [key.expiresAtMs, version.expiresAtMs].filter((end) => end !== undefined);
  return ends.length === 0 ? undefined : Math.min(...ends);
}

/** Calls that could start now: what the request rate leaves, and none when a budget has nothing left. */
export function remainingQuota(limits: LimitState, budgets: readonly BudgetState[]): number {
  if (budgets.some((state) => state.remaining <= nanos(0n))) return 0;
  if (limits.tokens !== undefined && limits.tokens.remaining === 0) return 0;
  return limits.requests?.remaining ?? QUOTA_UNLIMITED;
}

async function allowedModels(
  rooms: SelfRooms,
  { key, organizationRevision }: Principal,
): Promise<OfferedModel[]> {
  const offered = listOfferedModels({
    credentials: await rooms.credentials.forOrganization(key.organizationId, organizationRevision),
    catalog: await rooms.prices.catalog(key.organizationId, organizationRevision),
    nowMs: rooms.clock.nowMs(),
  });
  // A bare name with a slash in it would be taken for a provider's.
  return offered.filter(
    ({ id, model }) => checkModel(key, model.includes('/') ? [id] : [id, model]) === undefined,
  );
}

async function findModel(rooms: SelfRooms, principal: Principal, name: string) {
  const models = await allowedModels(rooms, principal);
  const model = models.find((each) => each.id === name || each.model === name);
  return model === undefined
    ? new Denial('model_not_found', {
        message: `There is no model '${name}' that this key may use.`,
        param: 'model',
      })
    : ok(renderModel(model));
}

function renderModel({ id, provider }: OfferedModel): Json {
  return { id, object: 'model', created: 0, owned_by: provider };
}
