import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualTiming } from '../../test/manual-timing.ts';
import { RateLimiter } from './rate-limiter.ts';
import type { LimiterSnapshot } from './snapshot.ts';

const LIMITS = { requestsPerMinute: 10, tokensPerMinute: 1_000, costPerDayUsd: '1', costPerMonthUsd: '3' };
const START_MS = Date.UTC(2026, 10, 23, 12);
const HOUR_MS = 3_600_000;

/** A limiter of another process, this much later. */
function restart(snapshot: LimiterSnapshot, laterMs = 0): RateLimiter {
  const timing = new ManualTiming({ startMs: Date.parse(snapshot.takenAt) + laterMs });
  return RateLimiter.restore(
    { limits: LIMITS, timing },
    JSON.parse(JSON.stringify(snapshot)) as LimiterSnapshot,
  );
}

function limiterInUse() {
  const timing = new ManualTiming({ startMs: START_MS });
  const limiter = new RateLimiter({ limits: LIMITS, timing });
  const take = (tokens: number, costUsd: string) => {
    const lease = limiter.tryAcquire({ tokens, costUsd });
    return lease.granted ? lease : assert.fail(lease.limit);
  };
  return { limiter, timing, take };
}

describe('a limiter that is restored from a snapshot', () => {
  test('has forgotten nothing', async () => {
    const { limiter, timing, take } = limiterInUse();
    take(300, '0.3').settle({ tokens: 200, costUsd: '0.123456789' });
    await timing.advance(20_000);
    take(100, '0.2').settle();
    assert.deepEqual(restart(limiter.snapshot()).report(), limiter.report());
  });

  test('charges what was running then at its estimate: nobody will say any more what it used', () => {
    const { limiter, take } = limiterInUse();
    take(300, '0.3');
    const snapshot = limiter.snapshot();
    assert.deepEqual([snapshot.day.spentUsd, snapshot.day.heldUsd], ['0.00', '0.30']);
    const { costToday, tokensThisMinute, running } = restart(snapshot).report();
    assert.deepEqual(
      [costToday.spentUsd, costToday.heldUsd, tokensThisMinute.used, running],
      ['0.30', '0.00', 300, 0],
    );
  });

  test('counts on where time has gone on meanwhile', () => {
    const { limiter, take } = limiterInUse();
    take(300, '0.3').settle();
    const snapshot = limiter.snapshot();
    const at = (laterMs: number) => restart(snapshot, laterMs).report();
    assert.equal(at(59_000).tokensThisMinute.used, 300);
    assert.equal(at(61_000).tokensThisMinute.used, 0);
    assert.equal(at(11 * HOUR_MS).costToday.spentUsd, '0.30');
    assert.equal(at(13 * HOUR_MS).costToday.spentUsd, '0.00');
    assert.equal(at(13 * HOUR_MS).costThisMonth.spentUsd, '0.30');
    assert.equal(at(10 * 24 * HOUR_MS).costThisMonth.spentUsd, '0.00');
    // Set back, the clock makes nothing disappear.
    assert.equal(at(-48 * HOUR_MS).costToday.spentUsd, '0.30');
    assert.equal(at(-48 * HOUR_MS).tokensThisMinute.used, 300);
  });

  test('never lets through more than one that was not restarted', async () => {
    const call = fc.record({ tokens: fc.nat(400), cents: fc.nat(40), pauseMs: fc.nat(20_000) });
    await fc.assert(
      fc.asyncProperty(fc.array(call, { maxLength: 30 }), fc.nat(29), async (calls, restartAt) => {
        const { limiter, timing } = limiterInUse();
        let restored: RateLimiter | undefined;
        for (const [index, { tokens, cents, pauseMs }] of calls.entries()) {
          await timing.advance(pauseMs);
          if (index === restartAt)
            restored = RateLimiter.restore({ limits: LIMITS, timing }, limiter.snapshot());
          const estimate = { tokens, costUsd: (cents / 100).toFixed(2) };
          const after = restored?.tryAcquire(estimate);
          const before = limiter.tryAcquire(estimate);
          if (after?.granted === true) assert.ok(before.granted);
          // Both go the same way, so that they can be compared again.
          if (after?.granted === false && before.granted) before.release();
        }
      }),
      { numRuns: 50 },
    );
  });

  test('is refused what is no snapshot', () => {
    const { limiter, take } = limiterInUse();
    take(300, '0.3').settle();
    const good = limiter.snapshot();
    const bad: unknown[] = [
      { ...good, version: 2 },
      { ...good, takenAt: 'yesterday' },
      { ...good, tokens: [[-1, 5]] },
      { ...good, requests: [[1, Number.NaN]] },
      { ...good, day: { ...good.day, spentUsd: '-1.00' } },
      { ...good, month: { ...good.month, heldUsd: 'much' } },
      { ...good, month: { ...good.month, startsAt: '' } },
    ];
    for (const each of bad) {
      assert.throws(() => RateLimiter.restore({ limits: LIMITS }, each as LimiterSnapshot), TypeError);
    }
  });
});
