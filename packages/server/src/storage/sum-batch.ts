/**
 * Sums of usage inside one commit: added up in memory in the order of the units, undone with theirs, and written once for
 * each source and hour before the commit. The database adds them to what is there, so nothing needs to be read, and two
 * processes that add at once lose nothing.
 */
import type { SumStep } from './statement.ts';

const HOURS_PER_DAY = 24;

/** What is added to one row of sums. */
export interface SumRow {
  readonly source: string;
  /** Hours or days since 1970. */
  readonly start: number;
  /** In the order of `SUM_COLUMNS`. */
  readonly amounts: bigint[];
}

export class SumBatch {
  readonly #log: SumStep[] = [];

  add(step: SumStep): void {
    this.#log.push(step);
  }

  /** A point to return to with `undoTo`. */
  mark(): number {
    return this.#log.length;
  }

  undoTo(mark: number): void {
    this.#log.splice(mark);
  }

  hours(): SumRow[] {
    return this.#sum((hour) => hour);
  }

  days(): SumRow[] {
    return this.#sum((hour) => Math.floor(hour / HOURS_PER_DAY));
  }

  #sum(startOf: (hour: number) => number): SumRow[] {
    const rows = new Map<string, SumRow>();
    for (const { sum, amounts } of this.#log) {
      const start = startOf(sum.hour);
      const name = `${start} ${sum.source}`;
      const row = rows.get(name);
      if (row === undefined) rows.set(name, { source: sum.source, start, amounts: [...amounts] });
      else
        for (const [index, amount] of amounts.entries())
          row.amounts[index] = (row.amounts[index] ?? 0n) + amount;
    }
    return [...rows.values()];
  }
}
