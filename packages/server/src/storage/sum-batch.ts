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

interface HourRow extends SumRow {
  /** Of the steps that were not undone. Where there is none, the source may not be there either. */
  steps: number;
}

export class SumBatch {
  readonly #hours = new Map<string, HourRow>();
  readonly #log: SumStep[] = [];

  add(step: SumStep): void {
    this.#log.push(step);
    const row = this.#row(step);
    row.steps++;
    addTo(row, step.amounts);
  }

  /** A point to return to with `undoTo`. */
  mark(): number {
    return this.#log.length;
  }

  undoTo(mark: number): void {
    for (const step of this.#log.splice(mark)) {
      const row = this.#row(step);
      row.steps--;
      addTo(
        row,
        step.amounts.map((amount) => -amount),
      );
    }
  }

  hours(): SumRow[] {
    return [...this.#hours.values()].filter(({ steps }) => steps > 0);
  }

  days(): SumRow[] {
    const days = new Map<string, SumRow>();
    for (const { source, start, amounts } of this.hours()) {
      const day = Math.floor(start / HOURS_PER_DAY);
      const name = `${day} ${source}`;
      const row = days.get(name);
      if (row === undefined) days.set(name, { source, start: day, amounts: [...amounts] });
      else addTo(row, amounts);
    }
    return [...days.values()];
  }

  #row({ sum: { source, hour }, amounts }: SumStep): HourRow {
    const name = `${hour} ${source}`;
    let row = this.#hours.get(name);
    if (row === undefined) {
      row = { source, start: hour, amounts: amounts.map(() => 0n), steps: 0 };
      this.#hours.set(name, row);
    }
    return row;
  }
}

function addTo(row: SumRow, amounts: readonly bigint[]): void {
  for (let index = 0; index < amounts.length; index++) {
    const amount = amounts[index] ?? 0n;
    // Most classes of tokens are not used.
    if (amount !== 0n) row.amounts[index] = (row.amounts[index] ?? 0n) + amount;
  }
}
