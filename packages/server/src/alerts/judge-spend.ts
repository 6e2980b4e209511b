/** Whether what a key has spent within a window is what a rule looks for. Exact: nothing is divided before it is compared. */
import { type Nanos, formatUsd, nanos } from '@keyfold/protocol';
import type { Baseline } from './baseline.ts';
import type { Condition, Measured } from './rule.ts';

export function judgeThreshold(
  when: Extract<Condition, { kind: 'spend_threshold' }>,
  spent: Nanos,
): Measured | undefined {
  return spent < when.usd ? undefined : { ...told(spent, when.windowS), limit_usd: formatUsd(when.usd) };
}

export function judgeSpike(
  when: Extract<Condition, { kind: 'spend_spike' }>,
  spent: Nanos,
  { sum, seconds }: Baseline,
): Measured | undefined {
  // spent ≥ multiple × sum × window / seconds, without a fraction.
  const multiple = BigInt(when.multiplePercent) * sum * BigInt(when.windowS);
  const scale = 100n * BigInt(seconds);
  if (spent < when.minUsd || spent * scale < multiple) return undefined;
  const limit = (multiple + scale - 1n) / scale;
  return {
    ...told(spent, when.windowS),
    limit_usd: formatUsd(nanos(limit > when.minUsd ? limit : when.minUsd)),
    baseline_usd: formatUsd(nanos((sum * BigInt(when.windowS)) / BigInt(seconds))),
  };
}

function told(spent: Nanos, windowS: number): Measured {
  return { spent_usd: formatUsd(spent), window_seconds: windowS };
}
