import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { BUCKETS, SlidingSum } from './sliding-sum.ts';

const additions = fc.array(
  fc.record({
    afterMs: fc.integer({ min: 0, max: 40_000 }),
    amount: fc.bigInt({ min: 0n, max: 10n ** 12n }),
  }),
  { maxLength: 60 },
);

describe('a sum over a window', () => {
  test('is never more than what the window holds, and never less than what it held one bucket later', () => {
    fc.assert(
      fc.property(fc.integer({ min: 10_000, max: 600_000 }), additions, (windowMs, steps) => {
        const beganMs = 1_795_000_000_000;
        const sum = new SlidingSum(windowMs);
        const all: { atMs: number; amount: bigint }[] = [];
        let nowMs = beganMs;
        for (const { afterMs, amount } of steps) {
          nowMs += afterMs;
          all.push({ atMs: nowMs, amount });
          sum.add(amount, nowMs);
          const within = (spanMs: number) =>
            all.filter(({ atMs }) => atMs > nowMs - spanMs).reduce((total, each) => total + each.amount, 0n);
          const measured = sum.sumAt(nowMs);
          assert.ok(measured <= within(windowMs), 'never early');
          assert.ok(measured >= within(windowMs - sum.bucketMs), 'never late by more than a bucket');
        }
      }),
      { seed: 11 },
    );
  });

  test('keeps a bounded number of buckets, however many additions there are', () => {
    const sum = new SlidingSum(60_000);
    for (let atMs = 0; atMs < 600_000; atMs += 10) sum.add(1n, atMs);
    assert.ok(sum.size <= 2 * (BUCKETS + 1), String(sum.size));
    assert.ok(sum.requestIds.length === 0);
    for (let request = 0; request < 100; request++) sum.add(1n, 600_000, `req_${request}`);
    assert.equal(sum.requestIds.at(-1), 'req_99');
    assert.ok(sum.requestIds.length <= 10);
  });

  test('takes what is added out of order where it belongs, and what is corrected from where it was', () => {
    const sum = new SlidingSum(60_000);
    sum.add(5n, 100_000);
    sum.add(7n, 50_000);
    assert.equal(sum.sumAt(100_000), 12n);
    sum.add(-7n, 50_000);
    assert.equal(sum.sumAt(100_000), 5n);
    sum.add(9n, 30_000);
    assert.equal(sum.sumAt(100_000), 5n, 'what is older than the window does not count');
    assert.equal(sum.sumAt(70_000), 9n, 'but for a window that ends earlier');
  });

  test('begins anew after a restart, and knows nothing of what was before', () => {
    const sum = new SlidingSum(60_000);
    sum.add(5n, 1_000);
    sum.restart(2_000);
    sum.add(5n, 2_000);
    assert.ok(!sum.covers(2_000));
    assert.equal(sum.sumAt(2_000), 0n);
    sum.add(3n, 2_001);
    assert.equal(sum.sumAt(2_001), 3n);
  });
});
