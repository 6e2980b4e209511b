/** Budgets: list with what is left, set a cap, remove. */
import { formatUsd } from '@keyfold/protocol';
import { Denial } from '../../kernel/denial.ts';
import type { Principal } from '../../keys/key.ts';
import type { KeyStore } from '../../keys/key-store.ts';
import {
  type Budget,
  type BudgetPeriod,
  type BudgetState,
  SCOPES,
  type Scope,
  isSamePeriod,
} from '../../ledger/budget.ts';
import { PERIODS, WINDOW_PARTS, WINDOW_S, findTimeZone } from '../../ledger/period.ts';
import { type BudgetTerms, type PlanRooms, planBudgets } from './budget-plan.ts';
import { type Change, type Endpoint, type Json, defineEndpoint, ok } from '../endpoint.ts';
import { keyScope } from '../keys/issue-key.ts';
import { renderBudget } from '../keys/key-view.ts';
import { cutPage, renderPage } from '../list-page.ts';
import type { ProjectStore } from '../../tenants/project-store.ts';
import { budgetView, idParams, listOf, listQuery, time, usd, z } from '../schemas.ts';

export interface BudgetRooms extends PlanRooms {
  readonly keys: KeyStore;
  readonly projects: ProjectStore;
}

const TAG = 'Budgets';
/** A call may overrun its hold, and a cap be lowered below what is spent. */
const PERCENT_MAX = 1_000;
const ALERTS_MAX = 10;
/** Rolling budgets of one scope: every call is counted on all of them. */
const WINDOWS_MAX = 3;
const setBudgetBody = z.strictObject({
  scope: z.enum(SCOPES),
  scope_id: z.string().min(1).max(100).optional(),
  period: z.enum(PERIODS),
  /** Of a rolling budget. */
  window_seconds: z.int().min(WINDOW_S.min).max(WINDOW_S.max).multipleOf(WINDOW_PARTS).optional(),
  cap_usd: usd,
  /** Where its days and months begin: an IANA name. UTC where it says none. */
  time_zone: z.string().max(64).optional(),
  /** Another cap until a time; null ends it. */
  raise: z.strictObject({ cap_usd: usd, until: time }).nullable().optional(),
  /** Shares of the cap, in percent, at which to be told; an empty list for none. */
  alert_percents: z.array(z.int().min(1).max(PERCENT_MAX)).max(ALERTS_MAX).optional(),
});

/** A lower cap of what contains the scope. */
const lowerView = z.object({
  id: z.string(),
  scope: z.enum(SCOPES),
  scope_id: z.string(),
  cap_usd: z.string(),
});

export function budgetEndpoints(rooms: BudgetRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'get',
      path: '/v1/budgets',
      permission: 'budgets:read',
      tag: TAG,
      summary: 'List budgets, newest first: what is posted, held, and remains in the period that is now.',
      query: listQuery.extend({
        scope: z.enum(SCOPES).optional(),
        scope_id: z.string().max(100).optional(),
      }),
      response: { status: 200, schema: listOf(budgetView) },
      handle: async ({ principal, query }) => {
        const all = await rooms.budgets.list(principal.key.organizationId);
        const wanted = all.filter(
          ({ scope, scopeId }) => scope === (query.scope ?? scope) && scopeId === (query.scope_id ?? scopeId),
        );
        const page = cutPage(wanted, query, { id: ({ id }) => id, order: 'newest' });
        const states = await rooms.budgets.statesOf(page);
        return ok(
          renderPage(states, query, { id: ({ budget }: BudgetState) => budget.id, view: renderBudget }),
        );
      },
    }),
    defineEndpoint({
      method: 'put',
      path: '/v1/budgets',
      permission: 'budgets:write',
      tag: TAG,
      summary: 'Set the cap of a scope and period. It holds from the next call on.',
      body: setBudgetBody,
      response: { status: 200, schema: budgetView.extend({ above: z.array(lowerView) }) },
      handle: ({ principal, body }) => setBudget(rooms, principal, body),
    }),
    defineEndpoint({
      method: 'delete',
      path: '/v1/budgets/{id}',
      permission: 'budgets:write',
      tag: TAG,
      summary: 'Remove a budget. A later one of the same scope and period begins at nothing posted.',
      params: idParams,
      response: { status: 204 },
      handle: async ({ principal, params }) => {
        const { organizationId } = principal.key;
        const all = await rooms.budgets.list(organizationId);
        const budget = all.find(({ id }) => id === params.id);
        if (budget === undefined) return new Denial('not_found');
        const { scope, scopeId, period, windowS } = budget;
        const plan = await planBudgets(rooms, {
          scope,
          scopeId,
          owner: { organizationId },
          within: [],
          input: [{ period, windowS, cap: null }],
        });
        return { steps: plan.steps, events: plan.events, reply: { status: 204, body: undefined } };
      },
    }),
  ];
}

async function setBudget(
  rooms: BudgetRooms,
  principal: Principal,
  body: z.infer<typeof setBudgetBody>,
): Promise<Change | Denial> {
  const { scope } = body;
  const found = await findScope(rooms, principal, { scope, id: body.scope_id });
  if (found instanceof Denial) return found;
  const { scopeId } = found;
  const existing = await rooms.budgets.load([scopeId]);
  const span = readSpan(existing, body);
  if (span instanceof Denial) return span;
  const terms = readTerms(
    rooms,
    existing.find((budget) => isSamePeriod(budget, span)),
    body,
  );
  if (terms instanceof Denial) return terms;
  const plan = await planBudgets(rooms, {
    ...found,
    owner: principal.key,
    input: [{ ...span, cap: body.cap_usd }],
    terms,
  });
  const state = plan.states.find(({ budget }) => isSamePeriod(budget, span));
  if (state === undefined) return new Denial('not_found');
  return {
    steps: plan.steps,
    events: plan.events,
    reply: { status: 200, body: { ...renderBudget(state), above: plan.lower.map(renderLower) } },
  };
}

function readSpan(existing: readonly Budget[], body: z.infer<typeof setBudgetBody>): BudgetPeriod | Denial {
  const { period, window_seconds: windowS } = body;
  if (period !== 'rolling') {
    if (windowS === undefined) return { period };
    return refuse('window_seconds', "Only a budget of the period 'rolling' has a window.");
  }
  if (windowS === undefined) return refuse('window_seconds', 'A rolling budget says how long its window is.');
  if (body.time_zone !== undefined) return refuse('time_zone', 'A rolling budget knows no days.');
  const span = { period, windowS } as const;
  const others = existing.filter((budget) => budget.period === 'rolling' && !isSamePeriod(budget, span));
  if (others.length < WINDOWS_MAX) return span;
  return refuse('window_seconds', `A scope has at most ${WINDOWS_MAX} rolling budgets. Remove one first.`);
}

/** Spend is kept by the beginning of its period: in another zone what was spent today would count for nothing. */
function readTerms(
  { clock }: BudgetRooms,
  existing: Budget | undefined,
  body: z.infer<typeof setBudgetBody>,
): BudgetTerms | Denial {
  const { time_zone: named, raise } = body;
  const timeZone = named === undefined ? undefined : findTimeZone(named);
  if (named !== undefined && timeZone === undefined) {
    return refuse('time_zone', `There is no time zone of this name. Write it as 'Europe/Berlin'.`);
  }
  if (existing !== undefined && timeZone !== undefined && timeZone !== existing.timeZone) {
    return refuse('time_zone', `This budget is kept in ${existing.timeZone}. Remove it to begin another.`);
  }
  const alertPercents = body.alert_percents && [...new Set(body.alert_percents)].toSorted((a, b) => a - b);
  if (raise === undefined || raise === null) return { timeZone, raise, alertPercents };
  if (raise.cap_usd <= body.cap_usd) return refuse('raise.cap_usd', 'A raise is above the cap.');
  const untilMs = raise.until;
  if (untilMs <= clock.nowMs()) return refuse('raise.until', 'A raise ends in the future.');
  return { timeZone, alertPercents, raise: { cap: raise.cap_usd, untilMs } };
}

function refuse(param: string, message: string): Denial {
  return new Denial('invalid_request', { message, param });
}

interface FoundScope {
  readonly scope: Scope;
  readonly scopeId: string;
  /** What contains it. */
  readonly within: readonly string[];
}

/** A scope that the caller's organization has; without an id, the caller's own project or organization. */
async function findScope(
  rooms: BudgetRooms,
  principal: Principal,
  { scope, id }: { readonly scope: Scope; readonly id: string | undefined },
): Promise<FoundScope | Denial> {
  const { organizationId, projectId } = principal.key;
  switch (scope) {
    case 'organization':
      if ((id ?? organizationId) !== organizationId) return noScope(scope);
      return { scope, scopeId: organizationId, within: [] };
    case 'project': {
      const project = await rooms.projects.find(organizationId, id ?? projectId);
      return project === undefined
        ? noScope(scope)
        : { scope, scopeId: project.id, within: [organizationId] };
    }
    case 'key': {
      if (id === undefined) {
        return new Denial('invalid_request', {
          message: "A budget of scope 'key' must name the key.",
          param: 'scope_id',
        });
      }
      const found = await rooms.keys.find(organizationId, id);
      return found === undefined ? noScope(scope) : keyScope(found.key);
    }
  }
}

function renderLower({ id, scope, scopeId, cap }: Budget): Json {
  return { id, scope, scope_id: scopeId, cap_usd: formatUsd(cap) };
}

function noScope(scope: Scope): Denial {
  return new Denial('not_found', { message: `There is no such ${scope}.`, param: 'scope_id' });
}
