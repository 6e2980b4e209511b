import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type CallHouse, ORGANIZATIONS, openCallHouse, settled } from '../../test/call-house.ts';
import { DATABASE_KINDS, type DatabasePlace } from '../../test/databases.ts';
import { Denial } from '../kernel/denial.ts';
import { pruneOldCalls } from './prune-calls.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const START_MS = Date.UTC(2026, 0, 1, 0, 30);
const CALLS = 1_000;
const KEPT_DAYS = 3;
const isStopping = () => false;
const organizationId = ORGANIZATIONS[0] ?? assert.fail();

for (const kind of DATABASE_KINDS) {
  describe(`pruning calls on ${kind.name}`, () => {
    let place: DatabasePlace;
    let house: CallHouse;

    before(async () => {
      place = await kind.create();
      house = await openCallHouse(place);
      const reservations = await Promise.all(
        Array.from({ length: CALLS }, (_, index) => {
          house.clock.setTo(START_MS + Math.floor((index * 10 * DAY_MS) / CALLS));
          return house.reserve({ model: `model-${index % 3}` });
        }),
      );
      await Promise.all(reservations.map((each) => house.ledger.resolve(each, settled())));
      house.clock.setTo(START_MS + 10 * DAY_MS);
    });
    after(async () => {
      await house.database.close();
      await place.remove();
    });

    const list = () => house.reports.listCalls({ organizationId }, { limit: 2 * CALLS });
    const audited = () => house.database.read((db) => db.selectFrom('audit_records').select('record'));
    const report = (fromMs?: number, toMs?: number) =>
      house.reports.sumUsage({ organizationId, fromMs, toMs }, ['model', 'day', 'hour']);

    test('what is older than it must be kept goes a few at a time; sums and audit records stay', async () => {
      const [reported, records, calls] = [await report(), await audited(), await list()];
      let pauses = 0;
      const pause = () => Promise.resolve(void pauses++);
      await pruneOldCalls(house, { keptDays: KEPT_DAYS, isStopping, pause });
      const beforeMs = Math.floor((house.clock.nowMs() - KEPT_DAYS * DAY_MS) / HOUR_MS) * HOUR_MS;
      const kept = await list();
      assert.deepEqual(
        kept,
        calls.filter(({ reservedAtMs }) => reservedAtMs >= beforeMs),
      );
      assert.ok(kept.length > 0 && kept.length < CALLS / 2);
      assert.equal(pauses, Math.ceil((CALLS - kept.length) / 200) - 1);
      assert.deepEqual([await report(), await audited()], [reported, records]);
    });

    test('a part of an hour whose calls are gone is refused; whole hours are reported as before', async () => {
      const fromMs = START_MS + 2 * DAY_MS;
      const refused = await report(fromMs, START_MS + 20 * DAY_MS);
      assert.ok(refused instanceof Denial);
      assert.deepEqual([refused.code, refused.detail.param], ['invalid_request', 'from']);
      assert.match(
        refused.detail.message ?? '',
        /^Calls before 2026-01-08T00:00:00\.000Z are not kept any more/,
      );
      const whole = await report(fromMs - 30 * 60_000);
      assert.ok(Array.isArray(whole) && whole.length > 0);
      const late = await report(START_MS + 8 * DAY_MS, START_MS + 20 * DAY_MS);
      assert.ok(Array.isArray(late) && late.length > 0);
    });

    test('nothing old is no commit, and two processes that prune at once remove everything once', async () => {
      await pruneOldCalls(house, {
        keptDays: KEPT_DAYS,
        isStopping,
        pause: () => assert.fail('there is nothing to remove'),
      });
      const pause = () => Promise.resolve();
      const kept = (await list()).length;
      house.clock.advance(DAY_MS + HOUR_MS);
      await Promise.all([
        pruneOldCalls(house, { keptDays: 1, isStopping, pause }),
        pruneOldCalls(house, { keptDays: 2, isStopping, pause }),
      ]);
      assert.ok((await list()).length < kept);
      await pruneOldCalls(house, { keptDays: 1, isStopping: () => true, pause });
      await pruneOldCalls(house, { keptDays: 1, isStopping, pause });
      assert.deepEqual(await list(), []);
    });
  });
}
