/** Plans the change of a scope's budgets: which rows are set or removed, what is recorded, and how they stand afterwards. */
import { type Id, type Nanos, formatUsd, nanos } from '@keyfold/protocol';
import type { Clock } from '../../kernel/clock.ts';
import type { NewId } from '../../kernel/new-id.ts';
import {
  type Budget,
  type BudgetPeriod,
  type BudgetState,
  type Raise,
  type Scope,
  isSamePeriod,
} from '../../ledger/budget.ts';
import type { BudgetStore } from '../../ledger/budget-store.ts';
import { UTC } from '../../ledger/period.ts';
import type { SqlStep } from '../../storage/statement.ts';
import { describeChange } from '../describe-change.ts';
import type { Change } from '../endpoint.ts';

/** The new cap of a period; `null` removes it. */
export interface CapInput extends BudgetPeriod {
  readonly cap: Nanos | null;
}

export interface BudgetPlan {
  readonly steps: readonly SqlStep[];
  readonly events: Change['events'];
  /** The scope's budgets once the plan is carried out. */
  readonly states: readonly BudgetState[];
  /** Budgets of what contains the scope that are lower than the one that is set: they refuse first. */
  readonly lower: readonly Budget[];
}

export interface PlanRooms {
  readonly budgets: BudgetStore;
  readonly clock: Clock;
  readonly newId: NewId;
}

export interface PlanRequest {
  readonly scope: Scope;
  readonly scopeId: string;
  readonly owner: { readonly organizationId: Id<'organization'> };
  /** What contains the scope: a cap above one of theirs is set, and said to be so. */
  readonly within: readonly string[];
  /** Budgets of other periods stay as they are. */
  readonly input: readonly CapInput[];
  /** Of each budget that is set; what it does not say stays as it is. */
  readonly terms?: BudgetTerms;
}

export interface BudgetTerms {
  /** Of a new budget. */
  readonly timeZone?: string | undefined;
  /** `null` ends one. */
  readonly raise?: Raise | null | undefined;
  readonly alertPercents?: readonly number[] | undefined;
}

export async function planBudgets(rooms: PlanRooms, request: PlanRequest): Promise<BudgetPlan> {
  const existing = await rooms.budgets.load([request.scopeId]);
  const outer = request.within.length === 0 ? [] : await rooms.budgets.load(request.within);
  const lower: Budget[] = [];
  const steps: SqlStep[] = [];
  const events: Change['events'][number][] = [];
  const after = existing.filter((budget) => !request.input.some((each) => isSamePeriod(each, budget)));
  for (const { cap, ...span } of request.input) {
    const before = existing.find((budget) => isSamePeriod(budget, span));
    if (cap === null) {
      if (before === undefined) continue;
      steps.push(rooms.budgets.removeStep(before.id));
      events.push({
        action: 'budget.removed',
        target: before.id,
        detail: { scope_id: request.scopeId, ...spanDetail(span) },
      });
    } else {
      const refusesFirst = outer.filter((each) => isSamePeriod(each, span) && each.cap < cap);
      lower.push(...refusesFirst);
      const { raise, alertPercents } = request.terms ?? {};
      const base = before ?? newBudget(rooms, request, { ...span, cap });
      const budget = {
        ...base,
        cap,
        raise: raise === null ? undefined : (raise ?? base.raise),
        alertPercents: alertPercents ?? base.alertPercents,
      };
      steps.push(
        before === undefined ? rooms.budgets.insertStep(budget) : rooms.budgets.updateStep(budget, before),
      );
      events.push({
        action: 'budget.set',
        target: budget.id,
        detail: {
          scope_id: request.scopeId,
          ...spanDetail(span),
          cap_usd: formatUsd(cap),
          ...(budget.timeZone === UTC ? {} : { time_zone: budget.timeZone }),
          ...raiseDetail(budget),
          ...(budget.alertPercents.length === 0 ? {} : { alert_percents: budget.alertPercents.map(String) }),
          ...(refusesFirst.length === 0 ? {} : { above: refusesFirst.map(({ id }) => id) }),
          ...(before === undefined ? {} : describeChange(termsOf(before), termsOf(budget))),
        },
      });
      after.push(budget);
    }
  }
  return { steps, events, states: await rooms.budgets.statesOf(after), lower };
}

function newBudget(
  rooms: PlanRooms,
  request: PlanRequest,
  rule: BudgetPeriod & { readonly cap: Nanos },
): Budget {
  return {
    id: rooms.newId('budget'),
    organizationId: request.owner.organizationId,
    scope: request.scope,
    scopeId: request.scopeId,
    period: rule.period,
    windowS: rule.windowS,
    timeZone: request.terms?.timeZone ?? UTC,
    cap: nanos(rule.cap),
    raise: undefined,
    alertPercents: [],
    createdAtMs: rooms.clock.nowMs(),
  };
}

export function spanDetail({ period, windowS }: BudgetPeriod) {
  return windowS === undefined ? { period } : { period, window_seconds: windowS };
}

/** What of a budget can be changed. */
function termsOf({ cap, alertPercents, raise }: Budget) {
  return {
    cap_usd: formatUsd(cap),
    alert_percents: alertPercents.map(String),
    raised_cap_usd: raise === undefined ? null : formatUsd(raise.cap),
    raised_until: raise === undefined ? null : new Date(raise.untilMs).toISOString(),
  };
}

function raiseDetail({ raise }: Budget) {
  if (raise === undefined) return {};
  return { raised_cap_usd: formatUsd(raise.cap), raised_until: new Date(raise.untilMs).toISOString() };
}
