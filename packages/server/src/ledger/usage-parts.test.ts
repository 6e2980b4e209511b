import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Part, cutTime } from './usage-parts.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.UTC(2026, 0, 1);

describe('the parts of a time', () => {
  test('whole days are days, and the rest of the edges hours and calls', () => {
    const [fromMs, toMs] = [START_MS + 1.5 * HOUR_MS, START_MS + 3 * DAY_MS + 2.25 * HOUR_MS];
    const [day, hour] = [START_MS / DAY_MS, START_MS / HOUR_MS];
    assert.deepEqual(cutTime({ fromMs, toMs }, 'day'), [
      { of: 'days', from: day + 1, to: day + 3 },
      { of: 'hours', from: hour + 2, to: hour + 24 },
      { of: 'hours', from: hour + 72, to: hour + 74 },
      { of: 'calls', fromMs, toMs: START_MS + 2 * HOUR_MS },
      { of: 'calls', fromMs: START_MS + 3 * DAY_MS + 2 * HOUR_MS, toMs },
    ]);
  });

  test('a time without an end, or without a beginning, is read from sums alone where it is whole', () => {
    const day = START_MS / DAY_MS;
    assert.deepEqual(cutTime({}, 'day'), [{ of: 'days', from: undefined, to: undefined }]);
    assert.deepEqual(cutTime({ fromMs: START_MS }, 'day'), [{ of: 'days', from: day, to: undefined }]);
    assert.deepEqual(cutTime({ toMs: START_MS }, 'hour'), [{ of: 'hours', from: undefined, to: day * 24 }]);
  });

  test('every moment of the time is in exactly one part, and no other moment is', () => {
    const ms = fc.oneof(
      fc.integer({ min: 0, max: 5 * DAY_MS }),
      fc.integer({ min: 0, max: 120 }).map((hours) => hours * HOUR_MS),
    );
    fc.assert(
      fc.property(ms, ms, ms, fc.constantFrom('hour', 'day'), (a, b, at, widest) => {
        const [from, to] = [Math.min(a, b), Math.max(a, b)];
        const time = { fromMs: START_MS + from, toMs: START_MS + to };
        const moments = [START_MS + at, time.fromMs, time.toMs - 1, time.toMs, time.fromMs - 1];
        const parts = cutTime(time, widest);
        for (const moment of moments) {
          const expected = moment >= time.fromMs && moment < time.toMs ? 1 : 0;
          assert.equal(
            parts.filter((part) => holds(part, moment)).length,
            expected,
            JSON.stringify({ time, moment, parts }),
          );
        }
      }),
      { seed: 11, numRuns: 2_000 },
    );
  });
});

function holds(part: Part, moment: number): boolean {
  if (part.of === 'calls') return moment >= part.fromMs && moment < part.toMs;
  const unit = Math.floor(moment / (part.of === 'days' ? DAY_MS : HOUR_MS));
  return unit >= (part.from ?? -Infinity) && unit < (part.to ?? Infinity);
}
