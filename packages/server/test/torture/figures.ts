/** Torture: the figures of a run, added up over its databases, and what they must be. */
import type { Totals } from './model.ts';

export interface Figures {
  scenario: string;
  faults: Record<string, number>;
  calls: number;
  billedNanos: bigint;
  postedNanos: bigint;
  untoldNanos: bigint;
  overchargedByCrashesNanos: bigint;
  overchargedByPolicyNanos: bigint;
  expired: number;
  /** Looks into the books while calls were running. */
  looks: number;
  slowestRecoveryMs: number;
}

export function noFigures(scenario: string): Figures {
  return {
    scenario,
    faults: {},
    calls: 0,
    billedNanos: 0n,
    postedNanos: 0n,
    untoldNanos: 0n,
    overchargedByCrashesNanos: 0n,
    overchargedByPolicyNanos: 0n,
    expired: 0,
    looks: 0,
    slowestRecoveryMs: 0,
  };
}

export function countFault(figures: Figures, fault: string): void {
  figures.faults[fault] = (figures.faults[fault] ?? 0) + 1;
}

/** Once for each database: its totals are those of its whole life, less those of the one that it began as. */
export function addTotals(figures: Figures, totals: Totals, before?: Totals): void {
  figures.calls += totals.calls - (before?.calls ?? 0);
  figures.billedNanos += totals.billed - (before?.billed ?? 0n);
  figures.postedNanos += totals.posted - (before?.posted ?? 0n);
  figures.untoldNanos += totals.untold - (before?.untold ?? 0n);
  figures.overchargedByCrashesNanos += totals.overchargedByCrashes - (before?.overchargedByCrashes ?? 0n);
  figures.overchargedByPolicyNanos += totals.overchargedByPolicy - (before?.overchargedByPolicy ?? 0n);
  figures.expired += totals.expired - (before?.expired ?? 0);
}

/** What crashes have charged above the bill, in percent of the bill. */
export function overchargePercent({ overchargedByCrashesNanos: above, billedNanos }: Figures): number {
  return billedNanos === 0n ? 0 : Number((above * 1_000_000n) / billedNanos) / 10_000;
}

/** Money is read as decimal dollars, counts as they are. */
export function renderFigures(figures: Figures): Record<string, unknown> {
  return {
    scenario: figures.scenario,
    faults: figures.faults,
    calls_booked: figures.calls,
    billed_usd: toUsd(figures.billedNanos),
    posted_usd: toUsd(figures.postedNanos),
    overcharged_by_crashes_percent: overchargePercent(figures),
    beyond_hold_and_untold_usd: toUsd(figures.untoldNanos),
    overcharged_by_policy_usd: toUsd(figures.overchargedByPolicyNanos),
    expired_calls: figures.expired,
    looks_under_load: figures.looks,
    slowest_recovery_ms: Math.round(figures.slowestRecoveryMs),
  };
}

function toUsd(nanos: bigint): string {
  const text = String(nanos).padStart(10, '0');
  return `${text.slice(0, -9)}.${text.slice(-9)}`;
}
