/** What a limiter says of itself: used, held and remaining, by minute, day and month. */
import { type Nanos, formatUsd, nanos } from '@keyfold/protocol';
import type { Caps } from './limits.ts';
import type { Counters, Instant } from './snapshot.ts';
import type { Spending } from './spending.ts';

export interface RateReport {
  readonly used: number;
  /** Both `undefined` where there is no limit. */
  readonly limit: number | undefined;
  readonly remaining: number | undefined;
}

export interface CostReport {
  readonly spentUsd: string;
  /** Reserved for calls that are running. */
  readonly heldUsd: string;
  readonly limitUsd: string | undefined;
  readonly remainingUsd: string | undefined;
  readonly resetsAt: Date;
}

export interface UsageReport {
  /** The last 60 seconds. */
  readonly requestsThisMinute: RateReport;
  /** What is reserved for running calls is among the used. */
  readonly tokensThisMinute: RateReport;
  readonly costToday: CostReport;
  readonly costThisMonth: CostReport;
  /** Calls that have a lease, and calls that wait for one. */
  readonly running: number;
  readonly waiting: number;
}

export function reportUsage(
  of: { readonly caps: Caps; readonly counters: Counters; readonly now: Instant },
  calls: { readonly running: number; readonly waiting: number },
): UsageReport {
  const { caps, counters, now } = of;
  return {
    requestsThisMinute: reportRate(counters.requests.used(now.monotonicMs), caps.requests),
    tokensThisMinute: reportRate(counters.tokens.used(now.monotonicMs), caps.tokens),
    costToday: reportCost(counters.day, caps.day, now.nowMs),
    costThisMonth: reportCost(counters.month, caps.month, now.nowMs),
    ...calls,
  };
}

function reportRate(used: number, limit: number | undefined): RateReport {
  return { used, limit, remaining: limit === undefined ? undefined : Math.max(0, limit - used) };
}

function reportCost(spending: Spending, cap: Nanos | undefined, nowMs: number): CostReport {
  const { spent, held } = spending.at(nowMs);
  const left = cap === undefined ? undefined : cap - spent - held;
  return {
    spentUsd: formatUsd(spent),
    heldUsd: formatUsd(held),
    limitUsd: cap === undefined ? undefined : formatUsd(cap),
    remainingUsd: left === undefined ? undefined : formatUsd(nanos(left < 0n ? 0n : left)),
    resetsAt: new Date(spending.endsAtMs(nowMs)),
  };
}
