/** A token bucket on monotonic time: it holds a minute's worth and fills evenly; what was used beyond it is owed. */

const MINUTE_MS = 60_000;

export class TokenBucket {
  /** What a full bucket holds, and what flows in during a minute. */
  readonly perMinute: number;
  #level: number;
  #atMs: number;

  constructor(perMinute: number, nowMs: number) {
    this.perMinute = perMinute;
    this.#level = perMinute;
    this.#atMs = nowMs;
  }

  /** Whole units that could be taken now; never negative. */
  remaining(nowMs: number): number {
    this.#fill(nowMs);
    return Math.max(0, Math.floor(this.#level));
  }

  /** Milliseconds until `amount` could be taken; 0 when it can be now, `undefined` when it never can. */
  waitMs(amount: number, nowMs: number): number | undefined {
    this.#fill(nowMs);
    if (amount <= this.#level) return 0;
    if (amount > this.perMinute) return undefined;
    return Math.ceil(((amount - this.#level) * MINUTE_MS) / this.perMinute);
  }

  /** Milliseconds until the bucket is full. */
  resetMs(nowMs: number): number {
    this.#fill(nowMs);
    return Math.ceil(((this.perMinute - this.#level) * MINUTE_MS) / this.perMinute);
  }

  /** Takes, or with a negative amount returns. The caller has checked; owing is for usage that came out higher than estimated. */
  take(amount: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#level = Math.min(this.perMinute, this.#level - amount);
  }

  isFull(nowMs: number): boolean {
    this.#fill(nowMs);
    return this.#level >= this.perMinute;
  }

  #fill(nowMs: number): void {
    const elapsedMs = nowMs - this.#atMs;
    if (elapsedMs <= 0) return;
    this.#level = Math.min(this.perMinute, this.#level + (elapsedMs * this.perMinute) / MINUTE_MS);
    this.#atMs = nowMs;
  }
}
