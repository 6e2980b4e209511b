/**
 * A sum over a stretch of time, in buckets: never more than what that stretch holds, and less by at most one bucket. Records
 * of several nodes do not come in the order of their times, so that what has left the window is kept for one window more.
 */

/** Of one window. What is summed lags behind by at most a window's sixtieth. */
export const BUCKETS = 60;
const REQUESTS_KEPT = 10;

interface Bucket {
  readonly slot: number;
  amount: bigint;
}

export class SlidingSum {
  readonly windowMs: number;
  readonly bucketMs: number;
  /** Of what was first seen when it began, among all that is seen. */
  readonly place: number;
  /** What is older does not count. */
  #beganMs = -Infinity;
  /** Of the window that ends at the latest time, in the order of time. */
  #buckets: Bucket[] = [];
  /** Those of the window before it. */
  #past: Bucket[] = [];
  /** Of `#buckets`. */
  #sum = 0n;
  #latestMs = -Infinity;
  readonly #requestIds: string[] = [];

  constructor(windowMs: number, place = 0) {
    this.windowMs = windowMs;
    this.place = place;
    this.bucketMs = Math.ceil(windowMs / BUCKETS);
  }

  /** The newest requests that added to it, oldest first. */
  get requestIds(): readonly string[] {
    return this.#requestIds;
  }

  /** Buckets that are kept. */
  get size(): number {
    return this.#buckets.length + this.#past.length;
  }

  /** True where what happened then is counted here. */
  covers(atMs: number): boolean {
    return atMs >= this.#beganMs;
  }

  /** Below zero takes away from what was added at the same time. Times may come out of order. */
  add(amount: bigint, atMs: number, requestId?: string): void {
    if (!this.covers(atMs)) return;
    if (requestId !== undefined) {
      if (this.#requestIds.length >= REQUESTS_KEPT) this.#requestIds.shift();
      this.#requestIds.push(requestId);
    }
    this.#moveTo(atMs);
    const slot = Math.floor(atMs / this.bucketMs);
    const isPast = this.#hasLeft(slot, this.#latestMs);
    if (isPast && this.#hasLeft(slot, this.#latestMs - this.windowMs)) return;
    addTo(isPast ? this.#past : this.#buckets, slot, amount);
    if (!isPast) this.#sum += amount;
  }

  /** What was added within the window that ends then, or within the one that ends at the latest time where that is more. */
  sumAt(nowMs: number): bigint {
    this.#moveTo(nowMs);
    if (nowMs === this.#latestMs) return this.#sum;
    const endSlot = Math.floor(nowMs / this.bucketMs);
    let sum = 0n;
    for (const buckets of [this.#past, this.#buckets])
      for (const { slot, amount } of buckets)
        if (slot <= endSlot && !this.#hasLeft(slot, nowMs)) sum += amount;
    return sum > this.#sum ? sum : this.#sum;
  }

  /** Begins anew after this time: nothing up to it counts any more. */
  restart(afterMs: number): void {
    this.#beganMs = afterMs + 1;
    this.#latestMs = this.#beganMs;
    this.#buckets = [];
    this.#past = [];
    this.#sum = 0n;
    this.#requestIds.length = 0;
  }

  /** A bucket that the window does not hold as a whole has left it. */
  #hasLeft(slot: number, endMs: number): boolean {
    return slot * this.bucketMs <= endMs - this.windowMs;
  }

  #moveTo(nowMs: number): void {
    if (nowMs <= this.#latestMs) return;
    this.#latestMs = nowMs;
    for (const bucket of this.#take(this.#buckets, nowMs)) {
      this.#sum -= bucket.amount;
      this.#past.push(bucket);
    }
    this.#take(this.#past, nowMs - this.windowMs);
  }

  /** Those that have left a window that ends then. */
  #take(buckets: Bucket[], endMs: number): readonly Bucket[] {
    let gone = 0;
    for (const { slot } of buckets) {
      if (!this.#hasLeft(slot, endMs)) break;
      gone++;
    }
    return gone === 0 ? [] : buckets.splice(0, gone);
  }
}

function addTo(buckets: Bucket[], slot: number, amount: bigint): void {
  let place = buckets.length;
  while (place > 0 && (buckets[place - 1]?.slot ?? 0) > slot) place--;
  const bucket = buckets[place - 1];
  if (bucket?.slot === slot) bucket.amount += amount;
  else if (place === buckets.length) buckets.push({ slot, amount });
  else buckets.splice(place, 0, { slot, amount });
}
