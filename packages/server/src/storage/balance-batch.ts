/**
 * Balances inside one commit. The first touch of a balance reads its row, which the transaction then owns; changes are
 * checked and summed in memory in the order of the units; each changed row is written once, before the commit. The rows
 * are the truth: nothing of this outlives its transaction. A thousand calls on one budget so cost one write, not two
 * thousand.
 */
import type { BalanceStep } from './statement.ts';

export interface BalanceRow {
  readonly budgetId: string;
  readonly periodStartMs: number;
  posted: bigint;
  held: bigint;
}

interface Undo {
  readonly row: BalanceRow;
  readonly posted: bigint;
  readonly held: bigint;
}

/** How rows are read; the transaction then holds them, so that what was read stays true until its end. */
export interface BalanceSource {
  /** One that does not exist is all zero. */
  load(budgetId: string, periodStartMs: number): BalanceRow;
  /** Every balance of a budget from a start on. */
  loadSince(budgetId: string, sinceMs: number): Iterable<BalanceRow>;
}

interface KnownBudget {
  readonly rows: Map<number, BalanceRow>;
  /** All its rows from here on are known. */
  sinceMs: number;
}

/** The largest that a column of either database holds. */
const INTEGER_MAX = 9_223_372_036_854_775_807n;

export class BalanceBatch {
  readonly #source: BalanceSource;
  readonly #budgets = new Map<string, KnownBudget>();
  readonly #log: Undo[] = [];

  constructor(source: BalanceSource) {
    this.#source = source;
  }

  /** False, and nothing changed, when the step has a cap and would pass it. Throws when a sum would fall below zero, or overflow. */
  apply(step: BalanceStep): boolean {
    const { budgetId, periodStartMs } = step.balance;
    const budget = this.#budget(budgetId);
    const row = this.#row(budget, budgetId, periodStartMs);
    const posted = row.posted + step.posted;
    const held = row.held + step.held;
    if (step.cap !== undefined) {
      const others = step.sinceMs === undefined ? 0n : this.#sumOthers(budget, row, step.sinceMs);
      if (others + posted + held > step.cap) return false;
    }
    if (posted < 0n || held < 0n) throw new RangeError(`balance of ${row.budgetId} would fall below zero`);
    // Here it is this unit's fault alone; at the end, when rows are written, it would be that of all.
    if (posted > INTEGER_MAX || held > INTEGER_MAX)
      throw new RangeError(`balance of ${row.budgetId} would overflow`);
    this.#log.push({ row, posted: row.posted, held: row.held });
    row.posted = posted;
    row.held = held;
    return true;
  }

  /** A point to return to with `undoTo`. */
  mark(): number {
    return this.#log.length;
  }

  undoTo(mark: number): void {
    for (const undo of this.#log.splice(mark).toReversed()) {
      undo.row.posted = undo.posted;
      undo.row.held = undo.held;
    }
  }

  /** The rows to write. */
  changed(): Iterable<BalanceRow> {
    return new Set(this.#log.map((undo) => undo.row));
  }

  #budget(budgetId: string): KnownBudget {
    let budget = this.#budgets.get(budgetId);
    if (budget === undefined) {
      budget = { rows: new Map(), sinceMs: Infinity };
      this.#budgets.set(budgetId, budget);
    }
    return budget;
  }

  #row(budget: KnownBudget, budgetId: string, periodStartMs: number): BalanceRow {
    let row = budget.rows.get(periodStartMs);
    if (row === undefined) {
      row = this.#source.load(budgetId, periodStartMs);
      budget.rows.set(periodStartMs, row);
    }
    return row;
  }

  /** What the window's other balances come to. */
  #sumOthers(budget: KnownBudget, own: BalanceRow, sinceMs: number): bigint {
    if (sinceMs < budget.sinceMs) {
      for (const row of this.#source.loadSince(own.budgetId, sinceMs)) {
        // What this transaction has changed already is known better here.
        if (!budget.rows.has(row.periodStartMs)) budget.rows.set(row.periodStartMs, row);
      }
      budget.sinceMs = sinceMs;
    }
    let sum = 0n;
    for (const [startMs, row] of budget.rows) {
      if (startMs >= sinceMs && row !== own) sum += row.posted + row.held;
    }
    return sum;
  }
}
