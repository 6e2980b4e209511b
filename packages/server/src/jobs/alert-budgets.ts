/** Tells, once in each period, that what is posted on a budget has reached a share of its cap. */
import { formatUsd } from '@keyfold/protocol';
import type { AuditLog } from '../audit/audit-log.ts';
import type { Clock } from '../kernel/clock.ts';
import { type BudgetState, capAt } from '../ledger/budget.ts';
import type { BudgetStore } from '../ledger/budget-store.ts';
import type { Database } from '../storage/database.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

export interface AlertRooms {
  readonly budgets: BudgetStore;
  readonly database: Database;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly telemetry: Telemetry;
}

export async function alertBudgets(rooms: AlertRooms): Promise<void> {
  const { budgets, telemetry, clock } = rooms;
  // One time for all: what was posted in a period is told of that period, also where midnight comes meanwhile.
  const atMs = clock.nowMs();
  const report = (error: unknown) => telemetry.jobFailed('alert budgets', error);
  for (const state of await budgets.statesOf(await budgets.listAlerting(report), atMs)) {
    for (const percent of state.budget.alertPercents) {
      if (hasReached(state, percent, atMs)) await tell(rooms, state, { percent, atMs }).catch(report);
    }
  }
}

function hasReached({ budget, posted }: BudgetState, percent: number, nowMs: number): boolean {
  return posted * 100n >= capAt(budget, nowMs) * BigInt(percent);
}

async function tell(
  { budgets, database, audit, telemetry }: AlertRooms,
  { budget, posted, held }: BudgetState,
  of: { readonly percent: number; readonly atMs: number },
): Promise<void> {
  // The first step is refused where it was told before: then nothing is said twice.
  const told = await database.commit({
    steps: [
      budgets.markAlertedStep(budget, of),
      audit.step({
        action: 'budget.alerted',
        actor: 'system',
        target: budget.id,
        decision: 'allowed',
        organizationId: budget.organizationId,
        detail: {
          scope: budget.scope,
          scope_id: budget.scopeId,
          period: budget.period,
          ...(budget.windowS === undefined ? {} : { window_seconds: budget.windowS }),
          percent: of.percent,
          cap_usd: formatUsd(capAt(budget, of.atMs)),
          posted_usd: formatUsd(posted),
          held_usd: formatUsd(held),
        },
      }),
    ],
  });
  if (told.committed) telemetry.budgetAlerted(budget.scope);
}
