import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ZERO_NANOS } from '@keyfold/protocol';
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
import { Fault } from '../kernel/fault.ts';
import { STALE } from './ledger.ts';
import { Recovery } from './recover.ts';

for (const kind of DATABASE_KINDS) {
  describe(`ledger on ${kind.name}`, () => {
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

    test('a call is held on every budget, or on none', async () => {
      const key = await house.newKey([
        ['organization', 1_000n],
        ['project', 100n],
        ['key', 50n],
      ]);
      assert.ok(isReserved(await house.reserve(key, 50n)));
      const refused = await house.reserve(key, 1n);
      assert.ok(refused instanceof Denial);
      assert.equal(refused.code, 'budget_exhausted');
      assert.equal(refused.detail.facts?.['scope'], 'key');
      assert.deepEqual(await house.held(key), [50n, 50n, 50n]);
    });

    test('of a thousand concurrent calls over three nested budgets each cap is held exactly', async () => {
      const key = await house.newKey([
        ['organization', 90n],
        ['project', 70n],
        ['key', 50n],
      ]);
      const answers = await Promise.all(Array.from({ length: 1_000 }, () => house.reserve(key, 1n)));
      assert.equal(answers.filter((answer) => isReserved(answer)).length, 50);
      assert.deepEqual(await house.held(key), [50n, 50n, 50n]);
    });

    test('a settled reservation cannot be settled, released or expired again', async () => {
      const key = await house.newKey([['key', 100n]]);
      const reservation = reserved(await house.reserve(key, 10n));
      const results = await Promise.all(
        (['settlement', 'release', 'expiry', 'settlement'] as const).map((how) =>
          house.ledger.resolve(reservation, resolution(how, 3n)),
        ),
      );
      assert.equal(results.filter(Boolean).length, 1);
      const [state] = await house.states(key);
      assert.equal(state?.held, 0n);
      assert.equal(state?.posted, 3n);
      assert.equal((await house.calls(key)).length, 1);
    });

    test('what costs more than its hold is posted in full and flagged, and the next call is refused', async () => {
      const key = await house.newKey([['key', 100n]]);
      await house.ledger.resolve(reserved(await house.reserve(key, 60n)), resolution('settlement', 150n));
      const [state] = await house.states(key);
      assert.equal(state?.posted, 150n);
      assert.equal(state?.remaining, -50n);
      assert.deepEqual((await house.calls(key))[0]?.flags, ['overrun']);
      assert.ok((await house.reserve(key, 1n)) instanceof Denial);
    });

    test('a call settles into the period in which it was reserved', async () => {
      const key = await house.newKey([['key', 100n, 'day']]);
      house.clock.setTo(Date.UTC(2026, 10, 23, 23, 59, 59, 999));
      const reservation = reserved(await house.reserve(key, 60n));
      house.clock.advance(1);
      assert.ok(isReserved(await house.reserve(key, 100n)), 'the new day is whole');
      await house.ledger.resolve(reservation, resolution('settlement', 60n));
      const today = await house.states(key);
      assert.equal(today[0]?.posted, 0n);
      assert.equal(today[0]?.held, 100n);
    });

    test('a cap lowered below what is posted refuses; raised again it admits', async () => {
      const key = await house.newKey([['key', 100n]]);
      await house.ledger.resolve(reserved(await house.reserve(key, 80n)), resolution('settlement', 80n));
      await house.setCap(key, 50n);
      assert.ok((await house.reserve(key, 1n)) instanceof Denial);
      await house.setCap(key, 81n);
      assert.ok(isReserved(await house.reserve(key, 1n)));
    });

    test('a reservation decided under an older state of the organization is stale and holds nothing', async () => {
      const key = await house.newKey([['key', 100n]]);
      const answer = await house.reserve(key, 10n, { organizationRevision: 2 });
      assert.equal(answer, STALE);
      assert.deepEqual(await house.held(key), [0n]);
    });

    test('a call that holds next to nothing is on its budgets all the same: what it costs is posted there', async () => {
      const key = await house.newKey([['key', 100n]]);
      const reservation = reserved(await house.reserve(key, 0n, { estimate: 900n }));
      await house.ledger.resolve(reservation, resolution('settlement', 900n));
      const [state] = await house.states(key);
      assert.equal(state?.posted, 900n);
      assert.ok((await house.reserve(key, 1n)) instanceof Denial);
    });

    test('a free call is under no budget', async () => {
      const key = await house.newKey([['key', 0n]]);
      assert.ok(isReserved(await house.reserve(key, ZERO_NANOS)));
    });

    test('a budget row that was edited in the database denies every call under it', async () => {
      const key = await house.newKey([['key', 100n]]);
      await house.database.commit({
        steps: [
          house.database.step((db) =>
            db
              .updateTable('budgets')
              .set({ cap_nanos: 10n ** 15n })
              .where('scope_id', '=', key),
          ),
        ],
      });
      await assert.rejects(house.budgets.load([key]), Fault);
    });

    test('whatever sequence of calls ends in whatever way, the sums are those of the rows', async () => {
      const ending = fc.record({
        amount: fc.bigInt(0n, 40n),
        cost: fc.bigInt(0n, 60n),
        how: fc.constantFrom('settlement', 'release', 'open'),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(ending, { maxLength: 30 }), async (endings) => {
          const key = await house.newKey([['key', 400n]]);
          let open = 0n;
          await Promise.all(
            endings.map(async ({ amount, cost, how }) => {
              const reservation = await house.reserve(key, amount);
              if (!isReserved(reservation)) return;
              if (how === 'open') open += reservation.held;
              else await house.ledger.resolve(reservation, resolution(how, how === 'release' ? 0n : cost));
            }),
          );
          const [state] = await house.states(key);
          const posted = (await house.calls(key)).reduce(
            (sum, row) => sum + (row.held > 0n ? row.cost : 0n),
            0n,
          );
          assert.equal(state?.held, open);
          assert.equal(state?.posted, posted);
        }),
        { numRuns: 25 },
      );
    });

    test('a reservation whose commit was done but not answered is released, since nothing was sent', async () => {
      const key = await house.newKey([['key', 100n]]);
      const deaf = house.ledgerThat(async (commit) => {
        await commit();
        throw new Fault('unavailable', { internal: 'the answer was lost' });
      });
      await assert.rejects(house.reserve(key, 30n, { ledger: deaf.ledger }), Fault);
      assert.deepEqual(await house.held(key), [30n]);
      deaf.heal();
      await deaf.ledger.retryPostponed();
      assert.deepEqual(await house.held(key), [0n]);
      assert.equal(deaf.ledger.postponed, 0);
    });

    test('a settlement that storage refuses is kept and written when storage is back', async () => {
      const key = await house.newKey([['key', 100n]]);
      const reservation = reserved(await house.reserve(key, 30n));
      const broken = house.ledgerThat(() => {
        throw new Fault('unavailable', { internal: 'disk full' });
      });
      await assert.rejects(broken.ledger.resolve(reservation, resolution('settlement', 20n)), Fault);
      await assert.rejects(broken.ledger.retryPostponed(), Fault);
      assert.equal(broken.ledger.postponed, 1);
      broken.heal();
      await broken.ledger.retryPostponed();
      const [state] = await house.states(key);
      assert.deepEqual([state?.held, state?.posted], [0n, 20n]);
    });

    test('a call that holds less than it can cost is charged the whole when its process dies', async () => {
      const key = await house.newKey([['key', 100n]]);
      await house.reserve(key, 10n, { estimate: 70n });
      await house.database.close();
      house = await openLedgerHouse(place);
      await new Recovery(house).recoverAtStart();
      const [state] = await house.states(key);
      assert.deepEqual([state?.held, state?.posted], [0n, 70n]);
      assert.deepEqual((await house.calls(key))[0]?.flags, ['estimated', 'overrun']);
    });

    test('what a dead process left is charged at its estimate, once, and flagged', async () => {
      const key = await house.newKey([['key', 100n]]);
      await house.reserve(key, 30n);
      await house.reserve(key, 20n);
      await house.database.close();
      house = await openLedgerHouse(place);
      const recovery = new Recovery(house);
      const results = await Promise.all([recovery.recoverAtStart(), recovery.recoverAtStart()]);
      assert.ok(results[0].expired + results[1].expired >= 2);
      const [state] = await house.states(key);
      assert.equal(state?.held, 0n);
      assert.equal(state?.posted, 50n);
      const calls = await house.calls(key);
      assert.deepEqual(
        calls.map((call) => [call.resolution, call.flags, call.error]),
        [
          ['expiry', ['estimated'], 'process_died'],
          ['expiry', ['estimated'], 'process_died'],
        ],
      );
    });
  });
}
