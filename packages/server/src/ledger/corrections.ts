/**
 * Corrections of what calls have cost: a row of its own beside the call's, which stays as it is. What it adds or takes is
 * posted on everything that the call was posted on, in the period in which it was reserved. A call is corrected once.
 */
import { type Id, type Nanos, ZERO_NANOS, nanos } from '@keyfold/protocol';
import type { Clock } from '../kernel/clock.ts';
import { NO_USAGE } from '../pricing/model-price.ts';
import type { Database } from '../storage/database.ts';
import type { BalanceStep, Step } from '../storage/statement.ts';
import { type BudgetStore, idsOf } from './budget-store.ts';
import type { CallRow } from './call-row.ts';
import { creditHolds } from './credit/account.ts';
import type { CreditStore } from './credit/credit-store.ts';
import { type LedgerStatements, prepareLedgerStatements } from './ledger-statements.ts';
import { counterpartOf } from './packed-id.ts';
import { periodStartMs, windowStartMs } from './period.ts';
import type { Hold } from './hold.ts';
import type { CallFacts } from './reservation.ts';

export interface Correction {
  readonly id: Id<'reservation'>;
  /** What is added to the call's cost; below zero where it was too high. */
  readonly difference: Nanos;
  /** All are refused where the call has been corrected. */
  readonly steps: readonly Step[];
}

export class Corrections {
  readonly #budgets: BudgetStore;
  readonly #credits: CreditStore;
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #sql: LedgerStatements;

  constructor(parts: { database: Database; budgets: BudgetStore; credits: CreditStore; clock: Clock }) {
    this.#database = parts.database;
    this.#budgets = parts.budgets;
    this.#credits = parts.credits;
    this.#clock = parts.clock;
    this.#sql = prepareLedgerStatements(parts.database);
  }

  /** To what the call shall have cost. */
  async plan(call: CallRow, cost: Nanos): Promise<Correction> {
    const difference = nanos(cost - call.cost);
    const holds = await this.#heldOn(call);
    const id = counterpartOf(call.id);
    const row = {
      id,
      call: factsOf(call),
      held: ZERO_NANOS,
      estimate: ZERO_NANOS,
      holds,
      reservedAtMs: call.reservedAtMs,
    };
    const steps = this.#sql.recordCorrection(row, {
      kind: 'correction',
      cost: difference,
      usage: NO_USAGE,
      status: call.status,
      error: undefined,
      flags: [],
      resolvedAtMs: this.#clock.nowMs(),
    });
    const posted = await this.#postedOn(holds, difference);
    return { id, difference, steps: [...steps, ...posted] };
  }

  /** Budgets that were there when the call was reserved. Of one that was removed since, nobody asks any more. */
  async #heldOn(call: CallRow): Promise<Hold[]> {
    // It was free when it was reserved, and on nothing.
    if (call.held === ZERO_NANOS) return [];
    const { keyId, projectId, organizationId, reservedAtMs } = call;
    const parentId = call.parentId ?? undefined;
    const nowMs = this.#clock.nowMs();
    const budgets = await this.#budgets.load(idsOf({ keyId, projectId, organizationId, parentId }));
    const counting = budgets.filter((budget) => {
      const sinceMs = windowStartMs(budget, nowMs);
      return budget.createdAtMs <= reservedAtMs && (sinceMs === undefined || reservedAtMs >= sinceMs);
    });
    const credit = await this.#credits.load(organizationId as Id<'organization'>);
    return [
      ...counting.map((budget) => ({
        budgetId: budget.id,
        periodStartMs: periodStartMs(budget, reservedAtMs),
      })),
      ...(credit === undefined || credit.openedAtMs > reservedAtMs ? [] : creditHolds(credit, reservedAtMs)),
    ];
  }

  /** Where less is posted than is taken back, the call was not posted: its budget was made in the very same moment. */
  async #postedOn(holds: readonly Hold[], difference: Nanos): Promise<BalanceStep[]> {
    if (holds.length === 0) return [];
    const rows = await this.#database.read((db) =>
      db
        .selectFrom('balances')
        .selectAll()
        .where(
          'budget_id',
          'in',
          holds.map(({ budgetId }) => budgetId),
        ),
    );
    return holds
      .filter(({ budgetId, periodStartMs: startMs }) => {
        const row = rows.find((each) => each.budget_id === budgetId && each.period_start === BigInt(startMs));
        return (row?.posted_nanos ?? 0n) + difference >= 0n;
      })
      .map((balance) => ({ balance, posted: difference, held: 0n }));
  }
}

/** It is no attempt: the call counts once. */
function factsOf(call: CallRow): CallFacts {
  return {
    organizationId: call.organizationId as CallFacts['organizationId'],
    projectId: call.projectId as CallFacts['projectId'],
    keyId: call.keyId as CallFacts['keyId'],
    keyVersion: call.keyVersion,
    requestId: call.requestId,
    endpoint: call.endpoint,
    provider: call.provider,
    model: call.model,
    credentialId: call.credentialId ?? undefined,
    streamed: call.streamed,
    attempt: 0,
    route: call.route ?? undefined,
    parentId: call.parentId ?? undefined,
  };
}
