/**
 * Limits what this process asks of a gateway or provider: requests and tokens per minute, cost per day and month.
 *
 * - A call **reserves** before it starts and says afterwards what it used. What is reserved counts at once, so that calls
 *   that start together cannot pass a limit together, and what is used counts once.
 * - Per minute means: in any 60 seconds, to a quarter of a second, never more than the limit (a sliding window, so there is
 *   no double rush at a turn of the minute). Tokens count from when they were reserved; what a call used beyond that counts
 *   from when it said so, and is paid off before others start.
 * - Day and month are UTC's. A call belongs to the day on which it was reserved. Money is exact, in nano-dollars.
 * - One limiter knows one process. Budgets that must hold across processes belong into the gateway, which keeps them in any
 *   case; this one spares it the refusals, and keeps a loop that has gone wrong from spending what the gateway would allow.
 */
import { ZERO_NANOS } from '@keyfold/protocol';
import { type Timing, systemTiming } from '../timing.ts';
import { type Amount, type Price, measure } from './amount.ts';
import { Lease } from './lease.ts';
import {
  type Caps,
  type LimitName,
  type Limits,
  type Need,
  type Obstacle,
  findHopeless,
  findObstacle,
  readLimits,
  readNeed,
} from './limits.ts';
import { type Counters, type Instant, type LimiterSnapshot, openSnapshot, takeSnapshot } from './snapshot.ts';
import { hold, resolveHold } from './spending.ts';
import { type UsageReport, reportUsage } from './usage-report.ts';
import { WaitingLine } from './waiting-line.ts';

export interface RateLimiterOptions {
  readonly limits: Limits;
  /** By model, so that amounts may be given as a model and its tokens. */
  readonly prices?: Readonly<Record<string, Price>> | undefined;
  /** How many may wait at once; the next one is refused. 1,000 unless given. */
  readonly waitersMax?: number | undefined;
  readonly timing?: Timing | undefined;
}

export interface AcquireOptions {
  /** Whether to wait, behind those who wait already, until the limits let the call through. */
  readonly wait?: boolean | undefined;
  /** Ends the waiting; `acquire` rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** The limits do not let the call start. Nothing was reserved. */
export interface Refusal {
  readonly granted: false;
  readonly limit: LimitName | 'waitersMax';
  /** After this long it may start, or sooner if running calls give back; `undefined`: never, it is above the limit itself. */
  readonly retryAfterMs: number | undefined;
}

/** What `acquire` rejects with. */
export class LimitReachedError extends Error {
  override readonly name = 'LimitReachedError';
  readonly refusal: Refusal;

  constructor(refusal: Refusal) {
    const { limit, retryAfterMs } = refusal;
    const when = retryAfterMs === undefined ? 'the call is above the limit' : `retry in ${retryAfterMs} ms`;
    super(`${limit} does not let this call start: ${when}.`);
    this.refusal = refusal;
  }
}

const WAITERS_MAX_DEFAULT = 1_000;

export class RateLimiter {
  readonly #caps: Caps;
  readonly #counters: Counters;
  readonly #prices: Readonly<Record<string, Price>>;
  readonly #waitersMax: number;
  readonly #timing: Timing;
  readonly #line = new WaitingLine<Need, Lease>();
  #running = 0;
  #callOff: () => void = () => undefined;

  /** Throws `TypeError` for limits that are none. */
  constructor(options: RateLimiterOptions, snapshot?: LimiterSnapshot) {
    this.#caps = readLimits(options.limits);
    this.#prices = options.prices ?? {};
    this.#waitersMax = options.waitersMax ?? WAITERS_MAX_DEFAULT;
    this.#timing = options.timing ?? systemTiming;
    this.#counters = openSnapshot(snapshot, this.#now());
  }

  /**
   * Goes on where an earlier limiter was when its snapshot was taken. Calls that were running then are charged at their
   * estimate. Throws `TypeError` for what is no snapshot.
   */
  static restore(options: RateLimiterOptions, snapshot: LimiterSnapshot): RateLimiter {
    return new RateLimiter(options, snapshot);
  }

  /** Everything that counts, as JSON: store it now and then, and when the program ends. */
  snapshot(): LimiterSnapshot {
    return takeSnapshot(this.#counters, this.#now());
  }

  /**
   * Reserves what the call may need at most, or says which limit refuses and for how long. Those who wait come first.
   * Throws `TypeError` for an amount that does not say what the limits count.
   */
  tryAcquire(estimate: Amount): Lease | Refusal {
    return this.#tryNeed(this.#read(estimate));
  }

  /** The same as a promise: waits if asked to, else rejects with {@link LimitReachedError}. */
  async acquire(estimate: Amount, { wait = false, signal }: AcquireOptions = {}): Promise<Lease> {
    signal?.throwIfAborted();
    const need = this.#read(estimate);
    const result = this.#tryNeed(need);
    if (result.granted) return result;
    if (!wait || result.retryAfterMs === undefined) throw new LimitReachedError(result);
    if (this.#line.length >= this.#waitersMax)
      throw new LimitReachedError({ ...result, limit: 'waitersMax' });
    const onLeave = () => {
      this.#serve();
    };
    const turn = this.#line.join(need, { signal, onLeave });
    this.#serve();
    return turn;
  }

  /**
   * Acquires, calls, and settles with what the call says through its lease; at the estimate if it says nothing. A call that
   * throws gives all back: one that failed after it was paid for settles before it throws.
   */
  async run<Result>(
    estimate: Amount,
    call: (lease: Lease) => Promise<Result>,
    options: AcquireOptions = {},
  ): Promise<Result> {
    const lease = await this.acquire(estimate, options);
    try {
      const result = await call(lease);
      lease.settle();
      return result;
    } finally {
      lease.release();
    }
  }

  report(): UsageReport {
    const calls = { running: this.#running, waiting: this.#line.length };
    return reportUsage({ caps: this.#caps, counters: this.#counters, now: this.#now() }, calls);
  }

  #read(estimate: Amount): Need {
    return readNeed(measure(estimate, this.#prices), this.#caps);
  }

  #tryNeed(need: Need): Lease | Refusal {
    const hopeless = findHopeless(need, this.#caps);
    if (hopeless !== undefined) return { granted: false, limit: hopeless, retryAfterMs: undefined };
    this.#serve();
    const obstacle = this.#obstacleTo(this.#line.first ?? need);
    if (obstacle === undefined) return this.#reserve(need);
    return { granted: false, limit: obstacle.limit, retryAfterMs: Math.ceil(obstacle.waitMs) };
  }

  #obstacleTo(need: Need): Obstacle | undefined {
    return findObstacle(need, { caps: this.#caps, counters: this.#counters, now: this.#now() });
  }

  #reserve(need: Need): Lease {
    const { nowMs, monotonicMs } = this.#now();
    const { requests, tokens } = this.#counters;
    const [day, month] = [this.#counters.day.at(nowMs), this.#counters.month.at(nowMs)];
    const requestSlot = requests.add(1, monotonicMs);
    const tokenSlot = tokens.add(need.tokens, monotonicMs);
    hold(day, need.cost);
    hold(month, need.cost);
    this.#running++;

    return new Lease((used) => {
      let actual = need;
      try {
        actual = this.#readUsed(used, need);
      } finally {
        if (used === 'nothing') requests.giveBack(1, requestSlot);
        const excess = actual.tokens - need.tokens;
        if (excess > 0) tokens.add(excess, this.#now().monotonicMs);
        else tokens.giveBack(-excess, tokenSlot);
        for (const spend of [day, month]) resolveHold(spend, { held: need.cost, used: actual.cost });
        this.#running--;
        this.#serve();
      }
    });
  }

  /** What is not told stays at the estimate. Throws `TypeError` for what is no amount. */
  #readUsed(used: Amount | 'nothing', estimate: Need): Need {
    if (used === 'nothing') return { tokens: 0, cost: ZERO_NANOS };
    const { tokens, cost } = measure(used, this.#prices);
    return { tokens: tokens ?? estimate.tokens, cost: cost ?? estimate.cost };
  }

  /** Lets those through who are first in line, as far as the limits do; then waits for the next one's time. */
  #serve(): void {
    this.#callOff();
    for (let first = this.#line.first; first !== undefined; first = this.#line.first) {
      const obstacle = this.#obstacleTo(first);
      if (obstacle !== undefined) {
        this.#callOff = this.#timing.schedule(() => {
          this.#serve();
        }, Math.ceil(obstacle.waitMs));
        return;
      }
      this.#line.serve(this.#reserve(first));
    }
  }

  #now(): Instant {
    return { nowMs: this.#timing.nowMs(), monotonicMs: this.#timing.monotonicMs() };
  }
}
