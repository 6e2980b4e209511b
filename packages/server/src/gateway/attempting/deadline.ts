/** Where there is another target to ask, this one must not take all the time there is. */
import type { UpstreamFault } from '../../upstream/upstream-fault.ts';
import type { Attempted } from './attempted.ts';

export class Deadline {
  readonly #timeoutMs: number | undefined;
  readonly #what: string;
  readonly #onPassed: () => void;
  #timer: NodeJS.Timeout | undefined;
  #hasPassed = false;

  /** Runs only where the call may fall back, and its route sets a time. */
  constructor({ decision, mayFallBack }: Attempted, onPassed: () => void) {
    const { firstTokenTimeoutMs, answerTimeoutMs } = decision.selection.retry;
    const { streamed } = decision.outbound.call;
    this.#what = streamed ? 'token' : 'answer';
    this.#timeoutMs = !mayFallBack ? undefined : streamed ? firstTokenTimeoutMs : answerTimeoutMs;
    this.#onPassed = onPassed;
  }

  start(): void {
    if (this.#timeoutMs === undefined) return;
    this.#timer = setTimeout(() => {
      this.#hasPassed = true;
      this.#onPassed();
    }, this.#timeoutMs);
  }

  clear(): void {
    clearTimeout(this.#timer);
  }

  /** A call that was given up because of this took too long. */
  explain(fault: UpstreamFault): UpstreamFault {
    if (!this.#hasPassed || fault.kind !== 'aborted') return fault;
    return { ...fault, kind: 'timeout', detail: `no ${this.#what} within ${this.#timeoutMs} ms` };
  }
}
