/** What a call is held on, up to what cap, and what is said where one of it has no room. */
import { formatUsd } from '@keyfold/protocol';
import { Denial } from '../kernel/denial.ts';
import type { BalanceStep } from '../storage/statement.ts';
import { type Budget, capAt } from './budget.ts';
import { creditHolds } from './credit/account.ts';
import { periodEndMs, periodStartMs, windowStartMs } from './period.ts';
import type { Hold } from './hold.ts';
import type { ReserveRequest } from './reservation.ts';

export function budgetHold(budget: Budget, nowMs: number): Hold {
  return { budgetId: budget.id, periodStartMs: periodStartMs(budget, nowMs) };
}

/** The whole of the account is what its cap is for; its day only counts. */
export function holdOnCredit({ credit, amount }: ReserveRequest, nowMs: number) {
  if (credit === undefined) return undefined;
  const [whole, day] = creditHolds(credit, nowMs);
  const steps: readonly BalanceStep[] = [
    { balance: whole, posted: 0n, held: amount, cap: credit.credited },
    { balance: day, posted: 0n, held: amount },
  ];
  return { holds: [whole, day], steps };
}

export function capOf(budget: Budget, nowMs: number): Pick<BalanceStep, 'cap' | 'sinceMs'> {
  const sinceMs = windowStartMs(budget, nowMs);
  return { cap: capAt(budget, nowMs), ...(sinceMs === undefined ? {} : { sinceMs }) };
}

export function creditExhausted(): Denial {
  return new Denial('credit_exhausted', {
    message: "What is left of the organization's credit is less than the most this call may cost.",
  });
}

export function exhausted(budget: Budget, nowMs: number): Denial {
  const resetsAtMs = periodEndMs(budget, nowMs);
  const cap = formatUsd(capAt(budget, nowMs));
  const resetsAt = resetsAtMs === undefined ? undefined : new Date(resetsAtMs).toISOString();
  return new Denial('budget_exhausted', {
    message: `The ${budget.scope}'s budget of ${cap} USD ${describePeriod(budget)} has no room for the most this call may cost. ${describeReset(budget, resetsAt)}`,
    facts: {
      scope: budget.scope,
      scope_id: budget.scopeId,
      period: budget.period,
      ...(budget.windowS === undefined ? {} : { window_seconds: budget.windowS }),
      cap_usd: cap,
      ...(resetsAt === undefined ? {} : { resets_at: resetsAt }),
    },
  });
}

function describePeriod({ period, windowS }: Budget): string {
  if (windowS !== undefined) return `in any ${windowS} seconds`;
  return period === 'total' ? 'in all' : `per ${period}`;
}

function describeReset({ windowS }: Budget, resetsAt: string | undefined): string {
  if (windowS !== undefined) return 'It has room again as what was spent grows older than that.';
  return resetsAt === undefined ? 'It does not reset.' : `It resets at ${resetsAt}.`;
}
