/** Where there is another target to ask, this one must not take all the time there is. */
import type { Fault } from '../kernel/fault.ts';
import type { Attempted } from './attempted.ts';
import { explainFault } from './provider-failure.ts';

export class Deadline {
  readonly #of: Attempted;
  readonly #onPassed: (fault: Fault) => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(of: Attempted, onPassed: (fault: Fault) => void) {
    this.#of = of;
    this.#onPassed = onPassed;
  }

  /** Runs only where the call may fall back, and its route sets a time. */
  start(): void {
    const { decision, mayFallBack } = this.#of;
    const { retry } = decision.selection;
    const { streamed } = decision.outbound.call;
    const timeoutMs = streamed ? retry.firstTokenTimeoutMs : retry.answerTimeoutMs;
    if (!mayFallBack || timeoutMs === undefined) return;
    const detail = `no ${streamed ? 'token' : 'answer'} within ${timeoutMs} ms`;
    this.#timer = setTimeout(
      () => this.#onPassed(explainFault({ kind: 'timeout', sent: true, detail })),
      timeoutMs,
    );
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
