/** The limits of a limiter, and the question which of them stands in a call's way. */
import { type Nanos, ZERO_NANOS } from '@keyfold/protocol';
import type { Usd } from '../wire.ts';
import { type Measure, readMoney } from './amount.ts';
import type { Counters, Instant } from './snapshot.ts';

/** Each is optional. What has no limit is counted all the same. */
export interface Limits {
  readonly requestsPerMinute?: number | undefined;
  readonly tokensPerMinute?: number | undefined;
  /** Of the UTC day. */
  readonly costPerDayUsd?: Usd | undefined;
  /** Of the UTC month. */
  readonly costPerMonthUsd?: Usd | undefined;
}

export type LimitName = keyof Limits;

/** The same, read and checked. */
export interface Caps {
  readonly requests: number | undefined;
  readonly tokens: number | undefined;
  readonly day: Nanos | undefined;
  readonly month: Nanos | undefined;
}

/** A call as the limits see it: what is unknown was either refused or has no limit. */
export interface Need {
  readonly tokens: number;
  readonly cost: Nanos;
}

/** What stands in the way, and for how long if nothing comes back sooner. */
export interface Obstacle {
  readonly limit: LimitName;
  readonly waitMs: number;
}

/** Throws `TypeError` for what is no limit. */
export function readLimits(limits: Limits): Caps {
  return {
    requests: readRate(limits.requestsPerMinute, 'requestsPerMinute'),
    tokens: readRate(limits.tokensPerMinute, 'tokensPerMinute'),
    day: limits.costPerDayUsd === undefined ? undefined : readMoney(limits.costPerDayUsd),
    month: limits.costPerMonthUsd === undefined ? undefined : readMoney(limits.costPerMonthUsd),
  };
}

/** Throws `TypeError` when a limit counts what the amount does not tell: unknown is not zero. */
export function readNeed({ tokens, cost }: Measure, caps: Caps): Need {
  if (tokens === undefined && caps.tokens !== undefined) {
    throw new TypeError('there is a limit on tokens: say how many the call may need');
  }
  if (cost === undefined && (caps.day !== undefined || caps.month !== undefined)) {
    throw new TypeError('there is a limit on cost: say what the call may cost, or its model and tokens');
  }
  return { tokens: tokens ?? 0, cost: cost ?? ZERO_NANOS };
}

/** The limit that would refuse this call if it were the only one. */
export function findHopeless({ tokens, cost }: Need, caps: Caps): LimitName | undefined {
  if (caps.tokens !== undefined && tokens > caps.tokens) return 'tokensPerMinute';
  if (caps.day !== undefined && cost > caps.day) return 'costPerDayUsd';
  if (caps.month !== undefined && cost > caps.month) return 'costPerMonthUsd';
  return undefined;
}

/** Of all limits in the way, the one that stays longest; `undefined` when there is none. */
export function findObstacle(
  need: Need,
  of: { readonly caps: Caps; readonly counters: Counters; readonly now: Instant },
): Obstacle | undefined {
  const { caps, counters, now } = of;
  const { requests, tokens, day, month } = caps;
  const waits: [LimitName, number][] = [
    [
      'requestsPerMinute',
      requests === undefined ? 0 : counters.requests.waitMs(1, requests, now.monotonicMs),
    ],
    [
      'tokensPerMinute',
      tokens === undefined ? 0 : counters.tokens.waitMs(need.tokens, tokens, now.monotonicMs),
    ],
    ['costPerDayUsd', day === undefined ? 0 : counters.day.waitMs(need.cost, day, now.nowMs)],
    ['costPerMonthUsd', month === undefined ? 0 : counters.month.waitMs(need.cost, month, now.nowMs)],
  ];
  const [limit, waitMs] = waits.reduce((longest, each) => (each[1] > longest[1] ? each : longest));
  return waitMs <= 0 ? undefined : { limit, waitMs };
}

function readRate(rate: number | undefined, name: LimitName): number | undefined {
  if (rate === undefined || (Number.isSafeInteger(rate) && rate >= 1)) return rate;
  throw new TypeError(`${name} is a whole number, 1 or more`);
}
