import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { UTC, findTimeZone, periodEndMs, periodStartMs } from './period.ts';

const day = { period: 'day', timeZone: UTC } as const;
const month = { period: 'month', timeZone: UTC } as const;
const total = { period: 'total', timeZone: UTC } as const;

describe('budget periods', () => {
  test('the last millisecond of a day belongs to it, the next to the next', () => {
    const lastMs = Date.UTC(2028, 1, 28, 23, 59, 59, 999);
    assert.equal(periodStartMs(day, lastMs), Date.UTC(2028, 1, 28));
    assert.equal(periodEndMs(day, lastMs), lastMs + 1);
    assert.equal(periodStartMs(day, lastMs + 1), Date.UTC(2028, 1, 29));
  });

  test('months end where the calendar says, leap years and December included', () => {
    assert.equal(periodEndMs(month, Date.UTC(2028, 1, 10)), Date.UTC(2028, 2, 1));
    assert.equal(periodStartMs(month, Date.UTC(2028, 1, 29, 23, 59, 59, 999)), Date.UTC(2028, 1, 1));
    assert.equal(periodEndMs(month, Date.UTC(2026, 11, 31)), Date.UTC(2027, 0, 1));
  });

  test('the total never ends', () => {
    assert.equal(periodStartMs(total, Date.UTC(2026, 1)), 0);
    assert.equal(periodEndMs(total, Date.UTC(2026, 1)), undefined);
  });

  test('a day of a zone begins at its midnight, and is as long as its clocks make it', () => {
    const berlin = { period: 'day', timeZone: 'Europe/Berlin' } as const;
    // The 25th of October 2026 has 25 hours there, the 29th of March 23.
    const autumnMs = Date.UTC(2026, 9, 24, 22);
    assert.equal(periodStartMs(berlin, autumnMs - 1), Date.UTC(2026, 9, 23, 22));
    assert.equal(periodStartMs(berlin, autumnMs), autumnMs);
    assert.equal(periodEndMs(berlin, autumnMs), autumnMs + 25 * 3_600_000);
    const springMs = Date.UTC(2026, 2, 28, 23);
    assert.equal(periodStartMs(berlin, springMs + 22 * 3_600_000), springMs);
    assert.equal(periodEndMs(berlin, springMs), springMs + 23 * 3_600_000);
  });

  test('a day without a midnight begins with its first moment', () => {
    // Santiago's clocks went from 0:00 to 1:00 on the 6th of September 2026.
    const santiago = { period: 'day', timeZone: 'America/Santiago' } as const;
    const firstMs = Date.UTC(2026, 8, 6, 4);
    assert.equal(periodStartMs(santiago, firstMs), firstMs);
    assert.equal(periodEndMs(santiago, firstMs - 1), firstMs);
    assert.equal(periodEndMs(santiago, firstMs), firstMs + 23 * 3_600_000);
  });

  test('months of a zone end where its calendar says', () => {
    const kiritimati = { period: 'month', timeZone: 'Pacific/Kiritimati' } as const;
    const marchMs = Date.UTC(2028, 1, 29, 10);
    assert.equal(periodEndMs(kiritimati, marchMs - 1), marchMs);
    assert.equal(periodStartMs(kiritimati, marchMs), marchMs);
  });

  test('the same spans are told in any order of asking', () => {
    const tokyo = { period: 'day', timeZone: 'Asia/Tokyo' } as const;
    const startMs = Date.UTC(2026, 0, 1, 15);
    for (const day of [3, 0, 2, 0, 1]) {
      assert.equal(periodStartMs(tokyo, startMs + day * 86_400_000 + 7), startMs + day * 86_400_000);
    }
  });

  test('a zone is known by its name, and an offset is no zone', () => {
    assert.equal(findTimeZone('europe/berlin'), 'Europe/Berlin');
    assert.equal(findTimeZone('UTC'), UTC);
    for (const name of ['Europe/Atlantis', '+02:00', '', 'Europe/Berlin\0', 'x'.repeat(70), '../etc']) {
      assert.equal(findTimeZone(name), undefined, name);
    }
  });
});
