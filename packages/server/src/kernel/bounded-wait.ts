/** Waits no longer than a bound for work that may hang, as on a network file system, and begins none while some still hangs. */
export class BoundedWait {
  readonly #limitMs: number;
  #pending: Promise<unknown> | undefined;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Rejects with `does not answer` when the work takes too long, or what was begun before has not ended yet. */
  async for<T>(work: () => Promise<T>): Promise<T> {
    if (this.#pending !== undefined) throw new Error('does not answer');
    const pending = work();
    const ended = () => (this.#pending = undefined);
    this.#pending = pending.then(ended, ended);
    const { promise: timeUp, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(new Error('does not answer')), this.#limitMs);
    // Whoever has nothing else to do does not stay for it.
    timer.unref();
    try {
      return await Promise.race([pending, timeUp]);
    } finally {
      clearTimeout(timer);
    }
  }
}
