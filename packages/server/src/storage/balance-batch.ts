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

export class BalanceBatch {
  readonly #load: (budgetId: string, periodStartMs: number) => BalanceRow;
  readonly #rows = new Map<string, BalanceRow>();
  readonly #log: Undo[] = [];

  /** `load` reads a row that the transaction holds exclusively; one that does not exist is all zero. */
  constructor(load: (budgetId: string, periodStartMs: number) => BalanceRow) {
    this.#load = load;
  }

  /** False, and nothing changed, when the step has a cap and would pass it. Throws when a sum would fall below zero. */
  apply(step: BalanceStep): boolean {
    const row = this.#row(step.balance.budgetId, step.balance.periodStartMs);
    const posted = row.posted + step.posted;
    const held = row.held + step.held;
    if (step.cap !== undefined && posted + held > step.cap) return false;
    if (posted < 0n || held < 0n) throw new RangeError(`balance of ${row.budgetId} would fall below zero`);
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

  #row(budgetId: string, periodStartMs: number): BalanceRow {
    const name = `${budgetId} ${periodStartMs}`;
    let row = this.#rows.get(name);
    if (row === undefined) {
      row = this.#load(budgetId, periodStartMs);
      this.#rows.set(name, row);
    }
    return row;
  }
}
