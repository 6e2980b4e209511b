/** A clock that stands still until a test moves it. */
import type { Clock } from '../src/kernel/clock.ts';

export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;

  constructor(wallMs = Date.UTC(2026, 10, 23, 12)) {
    this.#wallMs = wallMs;
  }

  nowMs(): number {
    return this.#wallMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  advance(ms: number): void {
    this.#wallMs += ms;
    this.#monotonicMs += ms;
  }

  /** Sets the wall clock alone. */
  setTo(wallMs: number): void {
    this.#wallMs = wallMs;
  }
}
