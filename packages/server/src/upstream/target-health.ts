/**
 * Remembers which targets fail: a circuit breaker for each. Closed, a target is used; after some failures in a row it
 * opens and is passed over; after a while one call at a time probes it (half-open), and a success closes it again. A target
 * may also have to rest for a time that its provider named. All in this process's memory; a target that works has no entry.
 */
import type { Clock } from '../kernel/clock.ts';

export interface BreakerLimits {
  /** Failures in a row that open it. */
  readonly failuresMax: number;
  /** How long it stays open the first time; twice as long after each probe that fails, up to `openMaxMs`. */
  readonly openMs: number;
  readonly openMaxMs: number;
  /** A probe that has not ended by then no longer keeps others from trying. */
  readonly probeMs: number;
  /** Targets that are remembered; beyond it the one that failed longest ago is forgotten. */
  readonly entriesMax: number;
}

export const DEFAULT_BREAKER_LIMITS: BreakerLimits = {
  failuresMax: 5,
  openMs: 5_000,
  openMaxMs: 300_000,
  probeMs: 60_000,
  entriesMax: 10_000,
};

export type BreakerState = 'closed' | 'open' | 'half_open';

export interface Health {
  readonly state: BreakerState;
  /** Why it is passed over: what failed last, such as `server` or `rate_limit`. */
  readonly reason: string | undefined;
  /** Until when it is passed over, in milliseconds from now. */
  readonly restMs: number;
}

interface Entry {
  failures: number;
  opened: number;
  reason: string;
  /** Monotonic milliseconds. */
  restUntil: number;
  probingUntil: number;
}

const HEALTHY: Health = { state: 'closed', reason: undefined, restMs: 0 };

export class TargetHealth {
  readonly #clock: Clock;
  readonly #limits: BreakerLimits;
  /** In the order in which they last failed. */
  readonly #entries = new Map<string, Entry>();

  constructor(clock: Clock, limits: BreakerLimits = DEFAULT_BREAKER_LIMITS) {
    this.#clock = clock;
    this.#limits = limits;
  }

  healthOf(target: string): Health {
    const entry = this.#entries.get(target);
    if (entry === undefined) return HEALTHY;
    const restMs = Math.max(0, entry.restUntil - this.#clock.monotonicMs());
    const isOpen = entry.opened > 0;
    const state = !isOpen ? 'closed' : restMs > 0 ? 'open' : 'half_open';
    return { state, reason: entry.reason, restMs };
  }

  /** True where a call may be sent now. */
  isAvailable(target: string): boolean {
    const entry = this.#entries.get(target);
    if (entry === undefined) return true;
    const now = this.#clock.monotonicMs();
    return entry.restUntil <= now && entry.probingUntil <= now;
  }

  /** A call is being sent: at a half-open target it is the probe, and the only one. */
  began(target: string): void {
    const entry = this.#entries.get(target);
    const now = this.#clock.monotonicMs();
    if (entry === undefined || entry.opened === 0 || entry.probingUntil > now) return;
    entry.probingUntil = now + this.#limits.probeMs;
  }

  succeeded(target: string): void {
    this.#entries.delete(target);
  }

  /** A call ended without telling anything about the target, such as one whose client left. */
  toldNothing(target: string): void {
    const entry = this.#entries.get(target);
    if (entry !== undefined) entry.probingUntil = 0;
  }

  failed(target: string, reason: string): void {
    const entry = this.#take(target, reason);
    const now = this.#clock.monotonicMs();
    entry.failures++;
    const isOpen = entry.opened > 0;
    // Calls that were sent before it opened say nothing new.
    if (isOpen && entry.restUntil > now) return;
    if (!isOpen && entry.failures < this.#limits.failuresMax) return;
    const openMs = Math.min(this.#limits.openMs * 2 ** entry.opened, this.#limits.openMaxMs);
    entry.opened++;
    entry.restUntil = now + openMs;
  }

  /** The provider said when to come again, or that this will not change soon: no failure, but a rest. */
  rest(target: string, forMs: number, reason: string): void {
    const entry = this.#take(target, reason);
    entry.restUntil = Math.max(entry.restUntil, this.#clock.monotonicMs() + forMs);
  }

  /** How many are passed over now. */
  get resting(): number {
    const now = this.#clock.monotonicMs();
    let count = 0;
    for (const { restUntil } of this.#entries.values()) if (restUntil > now) count++;
    return count;
  }

  forget(target: string): void {
    this.#entries.delete(target);
  }

  /** All that is known of a credential and of its targets, whose names begin with its id. */
  forgetAll(credentialId: string): void {
    for (const name of this.#entries.keys()) {
      if (name === credentialId || name.startsWith(`${credentialId} `)) this.#entries.delete(name);
    }
  }

  #take(target: string, reason: string): Entry {
    const entry = this.#entries.get(target) ?? {
      failures: 0,
      opened: 0,
      reason,
      restUntil: 0,
      probingUntil: 0,
    };
    entry.reason = reason;
    entry.probingUntil = 0;
    this.#entries.delete(target);
    this.#entries.set(target, entry);
    if (this.#entries.size > this.#limits.entriesMax) {
      const oldest = this.#entries.keys().next();
      if (oldest.done !== true) this.#entries.delete(oldest.value);
    }
    return entry;
  }
}
