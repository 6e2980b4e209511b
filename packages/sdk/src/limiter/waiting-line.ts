/** Those who wait for a lease, served strictly in the order in which they came. */

interface Waiter<Wish, Grant> {
  readonly wish: Wish;
  readonly resolve: (grant: Grant) => void;
}

export class WaitingLine<Wish, Grant> {
  readonly #waiters: Waiter<Wish, Grant>[] = [];

  get length(): number {
    return this.#waiters.length;
  }

  /** What the first one waits for. */
  get first(): Wish | undefined {
    return this.#waiters[0]?.wish;
  }

  /** Rejects with the signal's reason when that aborts; `onLeave` is then called, since others may move up. */
  join(
    wish: Wish,
    { signal, onLeave }: { readonly signal: AbortSignal | undefined; readonly onLeave: () => void },
  ): Promise<Grant> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter<Wish, Grant> = {
        wish,
        resolve: (grant) => {
          signal?.removeEventListener('abort', leave);
          resolve(grant);
        },
      };
      const leave = () => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal?.reason as Error);
        onLeave();
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** Serves the first one. */
  serve(grant: Grant): void {
    this.#waiters.shift()?.resolve(grant);
  }
}
