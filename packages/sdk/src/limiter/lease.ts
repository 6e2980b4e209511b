/** What was reserved for one call, until the call says what it used. */
import type { Amount } from './amount.ts';

export class Lease implements Disposable {
  /** Tells it from a refusal. */
  readonly granted = true;
  #resolve: ((used: Amount | 'nothing') => void) | undefined;

  constructor(resolve: (used: Amount | 'nothing') => void) {
    this.#resolve = resolve;
  }

  /**
   * The call is over and used this much: what was reserved beyond it goes back, what it used beyond what was reserved is
   * owed. What is not said stays at the estimate, all of it when nothing is said. Counts once: returns whether this was
   * the time. Throws `TypeError` for what is no amount, and counts the estimate.
   */
  settle(used: Amount = {}): boolean {
    return this.#finish(used);
  }

  /** The call was not made, or cost nothing: all goes back. Returns whether there was anything to give back. */
  release(): boolean {
    return this.#finish('nothing');
  }

  /** Releases what was neither settled nor released. */
  [Symbol.dispose](): void {
    this.release();
  }

  #finish(used: Amount | 'nothing'): boolean {
    const resolve = this.#resolve;
    if (resolve === undefined) return false;
    this.#resolve = undefined;
    resolve(used);
    return true;
  }
}
