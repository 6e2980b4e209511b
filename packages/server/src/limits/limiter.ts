/** The port to rate limits: all limits of a call are passed at once, or none is touched. */
import type { Denial } from '../kernel/denial.ts';

/** What is absent is not limited. */
export interface LimitRules {
  readonly requestsPerMinute: number | undefined;
  readonly tokensPerMinute: number | undefined;
  readonly concurrentRequests: number | undefined;
}

/** The state of one rate, as the `x-ratelimit-*` headers tell it. */
export interface RateState {
  readonly limit: number;
  readonly remaining: number;
  readonly resetMs: number;
}

export interface LimitState {
  readonly requests: RateState | undefined;
  readonly tokens: RateState | undefined;
}

/** A passed limit: holds a concurrency slot until `finish` is called, exactly once. */
export interface Admission {
  readonly state: LimitState;
  /**
   * Frees the slot. `tokens` is what the call really used: what was estimated too high goes back, what was too low is
   * owed. `undefined`: unknown, the estimate stands.
   */
  finish(tokens: number | undefined): void;
  /** Frees the slot and gives everything back: the call was refused later on and consumed nothing. */
  cancel(): void;
}

/** One key whose limits a call is under: its own, and of a child key its parent, too. */
export interface LimitSubject {
  readonly id: string;
  readonly limits: LimitRules;
}

export interface Limiter {
  /** `tokens` is an estimate. A refused call consumes nothing of any subject. */
  admit(subjects: readonly LimitSubject[], tokens: number): Promise<Admission | Denial> | Admission | Denial;
  /** What the tightest of them leaves now, without taking anything. */
  peek(subjects: readonly LimitSubject[]): LimitState;
}
