import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { periodEndMs, periodStartMs } from './period.ts';

describe('budget periods', () => {
  test('the last millisecond of a day belongs to it, the next to the next', () => {
    const lastMs = Date.UTC(2028, 1, 28, 23, 59, 59, 999);
    assert.equal(periodStartMs('day', lastMs), Date.UTC(2028, 1, 28));
    assert.equal(periodEndMs('day', lastMs), lastMs + 1);
    assert.equal(periodStartMs('day', lastMs + 1), Date.UTC(2028, 1, 29));
  });

  test('months end where the calendar says, leap years and December included', () => {
    assert.equal(periodEndMs('month', Date.UTC(2028, 1, 10)), Date.UTC(2028, 2, 1));
    assert.equal(periodStartMs('month', Date.UTC(2028, 1, 29, 23, 59, 59, 999)), Date.UTC(2028, 1, 1));
    assert.equal(periodEndMs('month', Date.UTC(2026, 11, 31)), Date.UTC(2027, 0, 1));
  });

  test('the total never ends', () => {
    assert.equal(periodStartMs('total', Date.UTC(2026, 1)), 0);
    assert.equal(periodEndMs('total', Date.UTC(2026, 1)), undefined);
  });
});
