/** What a limiter remembers, as JSON, so that a restart does not forget it. */
import { formatUsd, nanos, ZERO_NANOS } from '@keyfold/protocol';
import { readMoney } from './amount.ts';
import { SlidingWindow, type WindowEntry } from './sliding-window.ts';
import { type Period, type Spend, Spending } from './spending.ts';

export interface LimiterSnapshot {
  readonly version: 1;
  readonly takenAt: string;
  readonly requests: readonly WindowEntry[];
  readonly tokens: readonly WindowEntry[];
  readonly day: SpendSnapshot;
  readonly month: SpendSnapshot;
}

export interface SpendSnapshot {
  readonly startsAt: string;
  readonly spentUsd: string;
  /** For calls that were running when the snapshot was taken. */
  readonly heldUsd: string;
}

/** What a limiter counts with. */
export interface Counters {
  readonly requests: SlidingWindow;
  readonly tokens: SlidingWindow;
  readonly day: Spending;
  readonly month: Spending;
}

export interface Instant {
  readonly nowMs: number;
  readonly monotonicMs: number;
}

export function takeSnapshot(counters: Counters, { nowMs, monotonicMs }: Instant): LimiterSnapshot {
  return {
    version: 1,
    takenAt: new Date(nowMs).toISOString(),
    requests: counters.requests.entries(monotonicMs),
    tokens: counters.tokens.entries(monotonicMs),
    day: renderSpend(counters.day.at(nowMs)),
    month: renderSpend(counters.month.at(nowMs)),
  };
}

/**
 * Nobody will say any more what the calls used that were running then: they are charged at their estimate. Throws
 * `TypeError` for what is no snapshot.
 */
export function openSnapshot(
  snapshot: LimiterSnapshot | undefined,
  { nowMs, monotonicMs }: Instant,
): Counters {
  if (snapshot === undefined) {
    return {
      requests: new SlidingWindow(monotonicMs),
      tokens: new SlidingWindow(monotonicMs),
      day: new Spending('day', nowMs),
      month: new Spending('month', nowMs),
    };
  }
  if (snapshot.version !== 1) throw new TypeError('that is no snapshot of this version');
  const passedMs = Math.max(0, nowMs - readTime(snapshot.takenAt));
  const age = (entries: readonly WindowEntry[]) => entries.map((entry) => ageBy(entry, passedMs));
  const spending = (period: Period) => new Spending(period, nowMs, readSpend(snapshot[period]));
  return {
    requests: new SlidingWindow(monotonicMs, age(snapshot.requests)),
    tokens: new SlidingWindow(monotonicMs, age(snapshot.tokens)),
    day: spending('day'),
    month: spending('month'),
  };
}

function renderSpend({ startsAtMs, spent, held }: Spend): SpendSnapshot {
  return {
    startsAt: new Date(startsAtMs).toISOString(),
    spentUsd: formatUsd(spent),
    heldUsd: formatUsd(held),
  };
}

function readSpend({ startsAt, spentUsd, heldUsd }: SpendSnapshot): Spend {
  const spent = nanos(readMoney(spentUsd) + readMoney(heldUsd));
  return { startsAtMs: readTime(startsAt), spent, held: ZERO_NANOS };
}

function ageBy([ageMs, amount]: WindowEntry, passedMs: number): WindowEntry {
  if (!(ageMs >= 0 && amount >= 0))
    throw new TypeError('that is no snapshot: an entry is not an age and an amount');
  return [ageMs + passedMs, amount];
}

function readTime(text: string): number {
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new TypeError('that is no snapshot: a time is missing');
  return ms;
}
