/**
 * Wall time that does not jump. While the machine's clock disagrees with the time that has passed by more than a few
 * seconds, the old reckoning goes on, so that no budget period begins early or twice; a disagreement that stays is
 * believed in the end, and reported.
 */
import type { Clock } from './clock.ts';

export interface SteadyClockLimits {
  /** Differences up to this are followed at once: a clock that is being disciplined moves in small steps. */
  readonly followedMs: number;
  /** How long a larger difference must stay the same before it is believed. */
  readonly believedAfterMs: number;
}

export const STEADY_CLOCK_LIMITS: SteadyClockLimits = { followedMs: 5_000, believedAfterMs: 60_000 };

export class SteadyClock implements Clock {
  readonly #source: Clock;
  readonly #limits: SteadyClockLimits;
  readonly #onJump: (byMs: number) => void;
  /** Wall time less monotonic time, as it is believed. */
  #offsetMs: number;
  #doubt: { readonly offsetMs: number; readonly sinceMs: number } | undefined;

  /** `onJump` hears of each jump once, when it is first seen. */
  constructor(
    source: Clock,
    onJump: (byMs: number) => void,
    limits: SteadyClockLimits = STEADY_CLOCK_LIMITS,
  ) {
    this.#source = source;
    this.#onJump = onJump;
    this.#limits = limits;
    this.#offsetMs = source.nowMs() - source.monotonicMs();
  }

  nowMs(): number {
    const wallMs = this.#source.nowMs();
    const monotonicMs = this.#source.monotonicMs();
    const offsetMs = wallMs - monotonicMs;
    if (Math.abs(offsetMs - this.#offsetMs) <= this.#limits.followedMs) {
      this.#offsetMs = offsetMs;
      this.#doubt = undefined;
      return wallMs;
    }
    return this.#doubtful(offsetMs, monotonicMs);
  }

  monotonicMs(): number {
    return this.#source.monotonicMs();
  }

  /** True while the machine's clock is not believed. */
  get isUnsteady(): boolean {
    return this.#doubt !== undefined;
  }

  #doubtful(offsetMs: number, monotonicMs: number): number {
    const isSame =
      this.#doubt !== undefined && Math.abs(offsetMs - this.#doubt.offsetMs) <= this.#limits.followedMs;
    if (!isSame) {
      this.#doubt = { offsetMs, sinceMs: monotonicMs };
      this.#onJump(Math.round(offsetMs - this.#offsetMs));
    } else if (
      this.#doubt !== undefined &&
      monotonicMs - this.#doubt.sinceMs >= this.#limits.believedAfterMs
    ) {
      this.#offsetMs = offsetMs;
      this.#doubt = undefined;
    }
    return Math.floor(monotonicMs + this.#offsetMs);
  }
}
