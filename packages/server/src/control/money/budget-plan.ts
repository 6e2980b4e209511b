/** Plans the change of a scope's budgets: which rows are set or removed, what is recorded, and how they stand afterwards. */
import { type Id, type Nanos, formatUsd, nanos } from '@keyfold/protocol';
import type { Clock } from '../../kernel/clock.ts';
import type { NewId } from '../../kernel/new-id.ts';
import type { Budget, BudgetState, Raise, Scope } from '../../ledger/budget.ts';
import type { BudgetStore } from '../../ledger/budget-store.ts';
import { PERIODS, type Period, UTC } from '../../ledger/period.ts';
import type { SqlStep } from '../../storage/statement.ts';
import type { Change } from '../endpoint.ts';

/** The new cap of each period; `null` removes, `undefined` leaves as it is. */
export type BudgetInput = Readonly<Record<Period, Nanos | null | undefined>>;

export interface BudgetPlan {
  readonly steps: readonly SqlStep[];
  readonly events: Change['events'];
  /** The scope's budgets once the plan is carried out. */
  readonly states: readonly BudgetState[];
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
  readonly input: BudgetInput;
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
  const steps: SqlStep[] = [];
  const events: Change['events'][number][] = [];
  const after: Budget[] = [];
  for (const period of PERIODS) {
    const before = existing.find((budget) => budget.period === period);
    const cap = request.input[period];
    if (cap === null && before !== undefined) {
      steps.push(rooms.budgets.removeStep(before.id));
      events.push({
        action: 'budget.removed',
        target: before.id,
        detail: { scope_id: request.scopeId, period },
      });
    } else if (cap === null || cap === undefined) {
      if (before !== undefined) after.push(before);
    } else {
      const { raise, alertPercents } = request.terms ?? {};
      const base = before ?? newBudget(rooms, request, { period, cap });
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
          period,
          cap_usd: formatUsd(cap),
          ...(budget.timeZone === UTC ? {} : { time_zone: budget.timeZone }),
          ...raiseDetail(budget),
          ...(budget.alertPercents.length === 0 ? {} : { alert_percents: budget.alertPercents.map(String) }),
          ...(before === undefined ? {} : { previous_cap_usd: formatUsd(before.cap) }),
        },
      });
      after.push(budget);
    }
  }
  return { steps, events, states: await rooms.budgets.statesOf(after) };
}

function newBudget(rooms: PlanRooms, request: PlanRequest, rule: { period: Period; cap: Nanos }): Budget {
  return {
    id: rooms.newId('budget'),
    organizationId: request.owner.organizationId,
    scope: request.scope,
    scopeId: request.scopeId,
    period: rule.period,
    timeZone: request.terms?.timeZone ?? UTC,
    cap: nanos(rule.cap),
    raise: undefined,
    alertPercents: [],
    createdAtMs: rooms.clock.nowMs(),
  };
}

function raiseDetail({ raise }: Budget) {
  if (raise === undefined) return {};
  return { raised_cap_usd: formatUsd(raise.cap), raised_until: new Date(raise.untilMs).toISOString() };
}
