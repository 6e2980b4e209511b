import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { nanos } from '@keyfold/protocol';
import fc from 'fast-check';
import { DATABASE_KINDS, type DatabasePlace } from '../../test/databases.ts';
import {
  type LedgerHouse,
  isReserved,
  openLedgerHouse,
  reserved,
  resolution,
} from '../../test/ledger-house.ts';
import { Denial } from '../kernel/denial.ts';
import type { Ledger } from './ledger.ts';
import { type PeriodRule, UTC, noticeStartMs, periodEndMs, periodStartMs, windowStartMs } from './period.ts';

const HOUR = { period: 'rolling', windowS: 3_600 } as const;
const HOUR_MS = 3_600_000;
/** A part of an hour's window. */
const PART_MS = 60_000;

test('a window is cut into sixty parts, and reaches back to the part that its length lies in', () => {
  const rule: PeriodRule = { ...HOUR, timeZone: UTC };
  const atMs = Date.UTC(2026, 10, 23, 12, 34, 56, 789);
  assert.equal(periodStartMs(rule, atMs), Date.UTC(2026, 10, 23, 12, 34));
  assert.equal(windowStartMs(rule, atMs), Date.UTC(2026, 10, 23, 11, 34));
  assert.equal(periodEndMs(rule, atMs), undefined);
  assert.equal(noticeStartMs(rule, atMs), Date.UTC(2026, 10, 23, 12));
});

for (const kind of DATABASE_KINDS) {
  describe(`rolling windows on ${kind.name}`, () => {
    let place: DatabasePlace;
    let house: LedgerHouse;

    before(async () => {
      place = await kind.create();
      house = await openLedgerHouse(place);
      await house.found();
    });
    after(async () => {
      await house.database.close();
      await place.remove();
    });

    const spend = async (key: Parameters<LedgerHouse['reserve']>[0], amount: bigint) => {
      const answer = await house.reserve(key, amount);
      if (isReserved(answer)) await house.ledger.resolve(answer, resolution('settlement', amount));
      return isReserved(answer);
    };

    test('what was spent within the window counts, over midnight too, and is free again when it is older', async () => {
      house.clock.setTo(Date.UTC(2027, 0, 1) - 1);
      const key = await house.newKey([['key', 100n, HOUR]]);
      assert.ok(await spend(key, 100n));
      house.clock.advance(HOUR_MS);
      const refused = await house.reserve(key, 1n);
      assert.ok(refused instanceof Denial);
      assert.equal(refused.detail.facts?.['window_seconds'], 3_600);
      assert.equal(refused.detail.facts?.['resets_at'], undefined);
      const [full] = await house.states(key);
      assert.deepEqual([full?.posted, full?.remaining, full?.resetsAtMs], [100n, 0n, undefined]);
      house.clock.advance(PART_MS);
      assert.ok(await spend(key, 100n));
    });

    test('a call that runs is held in the part in which it was reserved, and is posted there', async () => {
      house.clock.setTo(Date.UTC(2027, 1, 1));
      const key = await house.newKey([['key', 100n, HOUR]]);
      const reservation = reserved(await house.reserve(key, 60n));
      house.clock.advance(30 * PART_MS);
      assert.ok(!isReserved(await house.reserve(key, 50n)), 'both are in the window');
      await house.ledger.resolve(reservation, resolution('settlement', 45n));
      assert.ok(isReserved(await house.reserve(key, 55n)), 'what was not used is free');
      house.clock.advance(31 * PART_MS);
      assert.ok(isReserved(await house.reserve(key, 45n)), 'the first has left the window');
    });

    test('a thousand calls at once over two windows and a day hold each cap exactly', async () => {
      const key = await house.newKey([
        ['key', 50n, HOUR],
        ['key', 70n, { period: 'rolling', windowS: 86_400 }],
        ['project', 90n, 'day'],
      ]);
      const answers = await Promise.all(Array.from({ length: 1_000 }, () => house.reserve(key, 1n)));
      assert.equal(answers.filter(isReserved).length, 50);
      assert.deepEqual(await house.held(key), [50n, 50n, 50n]);
    });

    test('whenever calls come, no hour between any two of them saw more than the cap', async () => {
      const call = fc.record({
        afterMs: fc.integer({ min: 0, max: HOUR_MS / 2 }),
        amount: fc.bigInt(1n, 60n),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(call, { minLength: 1, maxLength: 40 }), async (calls) => {
          const key = await house.newKey([['key', 100n, HOUR]]);
          const spent: { atMs: number; amount: bigint }[] = [];
          for (const { afterMs, amount } of calls) {
            house.clock.advance(afterMs);
            if (await spend(key, amount)) spent.push({ atMs: house.clock.nowMs(), amount });
          }
          for (const { atMs } of spent) {
            const hour = spent.filter((each) => each.atMs > atMs - HOUR_MS && each.atMs <= atMs);
            const sum = hour.reduce((total, each) => total + each.amount, 0n);
            assert.ok(sum <= 100n, `${sum} within an hour`);
          }
          assert.ok(spent.length > 0 || calls.every(({ amount }) => amount > 100n));
        }),
        { numRuns: 20 },
      );
    });

    test('parts that no window reaches are forgotten, and those on which money is held are not', async () => {
      const key = await house.newKey([['key', 100n, HOUR]]);
      await spend(key, 10n);
      house.clock.advance(PART_MS);
      const open = reserved(await house.reserve(key, 20n));
      house.clock.advance(3 * HOUR_MS);
      await spend(key, 30n);
      await house.budgets.pruneWindows();
      const rows = await house.balances(key);
      assert.deepEqual(
        rows.map(({ posted_nanos, held_nanos }) => [posted_nanos, held_nanos]),
        [
          [0n, 20n],
          [30n, 0n],
        ],
      );
      assert.ok(await house.ledger.resolve(open, resolution('settlement', 20n)));
    });
  });
}

test('two processes on one PostgreSQL, on both sides of a part, hold one window together', async (context) => {
  const postgres = DATABASE_KINDS.find(({ name }) => name === 'postgres');
  assert.ok(postgres);
  const place = await postgres.create();
  const [one, other] = [await openLedgerHouse(place), await openLedgerHouse(place)];
  context.after(async () => {
    await one.database.close();
    await other.database.close();
    await place.remove();
  });
  await one.found();
  one.clock.setTo(Date.UTC(2027, 2, 1));
  other.clock.setTo(Date.UTC(2027, 2, 1) - 1);
  const key = await one.newKey([['key', 100n, HOUR]]);
  const ledgers: Ledger[] = [one.ledger, other.ledger];
  const answers = await Promise.all(
    Array.from({ length: 600 }, (_, index) => {
      const house = index % 2 === 0 ? one : other;
      return house.reserve(key, 1n, { ledger: ledgers[index % 2] as Ledger });
    }),
  );
  assert.equal(answers.filter(isReserved).length, 100);
  const [state] = await one.states(key);
  assert.equal(state?.held, nanos(100n));
});
