/**
 * Claims inside one commit on PostgreSQL. All that the batch's units may claim is inserted at once and in one order, so
 * that two processes never deadlock over it; which unit takes what is settled in memory, and what none took is removed.
 */
import type { UnitOfWork } from '../database.ts';

/** Waits for another process that claims the same value, and finds it used once that has committed. */
export const INSERT_CLAIMS = `insert into claims (value) select value from unnest($1::text[]) as t(value) order by value
  on conflict (value) do nothing returning value`;
export const REMOVE_CLAIMS = 'delete from claims where value = any($1::text[])';

export function claimsOf(units: readonly UnitOfWork[]): string[] {
  const values = new Set<string>();
  for (const { steps } of units) for (const step of steps) if ('claim' in step) values.add(step.claim);
  return [...values].sort();
}

export class ClaimBatch {
  readonly #fresh: ReadonlySet<string>;
  readonly #taken = new Set<string>();
  readonly #log: string[] = [];

  /** `fresh` are those that nobody had claimed. */
  constructor(fresh: readonly string[]) {
    this.#fresh = new Set(fresh);
  }

  /** False when the value was claimed before, by another batch or within this one. */
  take(value: string): boolean {
    if (!this.#fresh.has(value) || this.#taken.has(value)) return false;
    this.#taken.add(value);
    this.#log.push(value);
    return true;
  }

  /** A point to return to with `undoTo`. */
  mark(): number {
    return this.#log.length;
  }

  undoTo(mark: number): void {
    for (const value of this.#log.splice(mark)) this.#taken.delete(value);
  }

  /** What was inserted and no unit took. */
  get unused(): string[] {
    return [...this.#fresh].filter((value) => !this.#taken.has(value));
  }
}
