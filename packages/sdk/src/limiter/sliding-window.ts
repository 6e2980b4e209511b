/**
 * Counts what happened in the last minute. Amounts are kept by quarters of a second, so that memory is bounded whatever
 * the traffic; each stays until its whole quarter is a minute old, so that no 60 seconds ever hold more than is counted.
 */

export const WINDOW_MS = 60_000;
const SLOT_MS = 250;

/** How long ago, and how much. */
export type WindowEntry = readonly [ageMs: number, amount: number];

export class SlidingWindow {
  /** By number of the slot, in the order of time. */
  readonly #slots = new Map<number, number>();
  #total = 0;

  /** `entries` are what an earlier process saw. */
  constructor(nowMs: number, entries: readonly WindowEntry[] = []) {
    for (const [ageMs, amount] of entries.toSorted(([a], [b]) => b - a)) this.add(amount, nowMs - ageMs);
  }

  used(nowMs: number): number {
    this.#forget(nowMs);
    return this.#total;
  }

  /** Counts an amount. Time never goes back. Returns where it is kept, for {@link giveBack}. */
  add(amount: number, nowMs: number): number {
    const slot = Math.floor(nowMs / SLOT_MS);
    this.#slots.set(slot, (this.#slots.get(slot) ?? 0) + amount);
    this.#total += amount;
    return slot;
  }

  /** Takes back what was counted there; what is a minute old is not counted any more. */
  giveBack(amount: number, slot: number): void {
    const kept = this.#slots.get(slot);
    if (kept === undefined) return;
    this.#slots.set(slot, kept - amount);
    this.#total -= amount;
  }

  /** Milliseconds until `amount` fits under `limit`, if nothing is given back; 0 when it does now. `amount` is not above `limit`. */
  waitMs(amount: number, limit: number, nowMs: number): number {
    let excess = this.used(nowMs) + amount - limit;
    if (excess <= 0) return 0;
    for (const [slot, kept] of this.#slots) {
      excess -= kept;
      if (excess <= 0) return leavesAtMs(slot) - nowMs;
    }
    return WINDOW_MS;
  }

  entries(nowMs: number): WindowEntry[] {
    this.#forget(nowMs);
    return [...this.#slots].map(([slot, amount]) => [Math.max(0, nowMs - (slot + 1) * SLOT_MS), amount]);
  }

  #forget(nowMs: number): void {
    for (const [slot, amount] of this.#slots) {
      if (leavesAtMs(slot) > nowMs) return;
      this.#slots.delete(slot);
      this.#total -= amount;
    }
  }
}

function leavesAtMs(slot: number): number {
  return (slot + 1) * SLOT_MS + WINDOW_MS;
}
