/** A sum over the last stretch of time, in buckets: never more than what that stretch holds, and less by at most one bucket. */

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
  /** What is older was never counted here. */
  #beganMs: number;
  /** In the order of time; those that have left the window are dropped. */
  #buckets: Bucket[] = [];
  /** Of all buckets. */
  #sum = 0n;
  #latestMs: number;
  readonly #requestIds: string[] = [];

  constructor(windowMs: number, beganMs: number) {
    this.windowMs = windowMs;
    this.bucketMs = Math.ceil(windowMs / BUCKETS);
    this.#beganMs = beganMs;
    this.#latestMs = beganMs;
  }

  /** The newest requests that added to it, oldest first. */
  get requestIds(): readonly string[] {
    return this.#requestIds;
  }

  /** Buckets that are kept. */
  get size(): number {
    return this.#buckets.length;
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
    this.#latestMs = Math.max(this.#latestMs, atMs);
    const slot = Math.floor(atMs / this.bucketMs);
    let place = this.#buckets.length;
    while (place > 0 && (this.#buckets[place - 1]?.slot ?? 0) > slot) place--;
    const bucket = this.#buckets[place - 1];
    if (bucket?.slot === slot) bucket.amount += amount;
    else if (place === this.#buckets.length) this.#buckets.push({ slot, amount });
    else this.#buckets.splice(place, 0, { slot, amount });
    this.#sum += amount;
    this.#drop(this.#latestMs);
  }

  /** What was added within the window that ends then, or at the latest addition where that is later. */
  sumAt(nowMs: number): bigint {
    this.#drop(Math.max(nowMs, this.#latestMs));
    return this.#sum;
  }

  /** Begins anew after this time: nothing up to it counts any more. */
  restart(afterMs: number): void {
    this.#beganMs = afterMs + 1;
    this.#latestMs = this.#beganMs;
    this.#buckets = [];
    this.#sum = 0n;
    this.#requestIds.length = 0;
  }

  /** A bucket that the window does not hold as a whole is gone. */
  #drop(nowMs: number): void {
    const beforeMs = nowMs - this.windowMs;
    let gone = 0;
    for (const { slot, amount } of this.#buckets) {
      if (slot * this.bucketMs > beforeMs) break;
      this.#sum -= amount;
      gone++;
    }
    if (gone > 0) this.#buckets.splice(0, gone);
  }
}
