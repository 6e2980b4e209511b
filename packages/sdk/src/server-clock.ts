/** The time by the server's clock, as its answers tell it: keys end by that one, whatever this machine's clock says. */
import { type Timing, systemTiming } from './timing.ts';

/** Below it a difference is what a date's whole seconds and the way here make of none. */
const SKEW_MS_MIN = 2_000;
/** A clock that is further off cannot check certificates either; what says so is not believed. */
const SKEW_MS_MAX = 86_400_000;

export class ServerClock {
  readonly #timing: Timing;
  #skewMs = 0;

  constructor(timing: Timing = systemTiming) {
    this.#timing = timing;
  }

  nowMs(): number {
    return this.#timing.nowMs() + this.#skewMs;
  }

  /** Browsers show the date of another origin's answer only where that allows it; without one nothing changes. */
  learn(headers: Headers): void {
    const sentMs = Date.parse(headers.get('date') ?? '');
    if (Number.isNaN(sentMs)) return;
    const skewMs = sentMs - this.#timing.nowMs();
    if (Math.abs(skewMs) > SKEW_MS_MAX) return;
    this.#skewMs = Math.abs(skewMs) < SKEW_MS_MIN ? 0 : skewMs;
  }
}
