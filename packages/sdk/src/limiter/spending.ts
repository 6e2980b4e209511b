/** Money of one kind of period, a UTC day or month: what was spent, and what is held for calls that are running. */
import { type Nanos, ZERO_NANOS, nanos } from '@keyfold/protocol';

export type Period = 'day' | 'month';

/** One period. A call counts in the one in which it was reserved, also when it ends in the next. */
export interface Spend {
  readonly startsAtMs: number;
  spent: Nanos;
  held: Nanos;
}

export class Spending {
  readonly #period: Period;
  #current: Spend;

  /** `earlier` is what an earlier process spent; it counts when its period is not over. */
  constructor(period: Period, nowMs: number, earlier?: Spend) {
    this.#period = period;
    this.#current = earlier ?? { startsAtMs: startOf(period, nowMs), spent: ZERO_NANOS, held: ZERO_NANOS };
  }

  /** The period that runs now. A clock that is set back does not bring a fresh one. */
  at(nowMs: number): Spend {
    const startsAtMs = startOf(this.#period, nowMs);
    if (startsAtMs > this.#current.startsAtMs) {
      this.#current = { startsAtMs, spent: ZERO_NANOS, held: ZERO_NANOS };
    }
    return this.#current;
  }

  endsAtMs(nowMs: number): number {
    return endOf(this.#period, this.at(nowMs).startsAtMs);
  }

  /** Milliseconds until `cost` fits under `cap`, if nothing that is held comes back; 0 when it does now. */
  waitMs(cost: Nanos, cap: Nanos, nowMs: number): number {
    const { spent, held } = this.at(nowMs);
    return spent + held + cost <= cap ? 0 : this.endsAtMs(nowMs) - nowMs;
  }
}

export function hold(spend: Spend, cost: Nanos): void {
  spend.held = nanos(spend.held + cost);
}

/** What was held comes back, and what was used is spent. */
export function resolveHold(spend: Spend, of: { readonly held: Nanos; readonly used: Nanos }): void {
  spend.held = nanos(spend.held - of.held);
  spend.spent = nanos(spend.spent + of.used);
}

function startOf(period: Period, atMs: number): number {
  const at = new Date(atMs);
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), period === 'day' ? at.getUTCDate() : 1);
}

function endOf(period: Period, startsAtMs: number): number {
  const start = new Date(startsAtMs);
  const [year, month, day] = [start.getUTCFullYear(), start.getUTCMonth(), start.getUTCDate()];
  return period === 'day' ? Date.UTC(year, month, day + 1) : Date.UTC(year, month + 1);
}
