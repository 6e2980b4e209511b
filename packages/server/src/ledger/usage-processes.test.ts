import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ORGANIZATIONS, openCallHouse, settled } from '../../test/call-house.ts';
import { assertSumsAreThoseOfTheCalls } from '../../test/check-sums.ts';
import { DATABASE_KINDS } from '../../test/databases.ts';

const ROUNDS = 15;
const MODELS = 25;
const organizationId = ORGANIZATIONS[0] ?? assert.fail();

test('two processes that meet the same new sources at once, in opposite orders, both succeed and lose nothing', async () => {
  const kind = DATABASE_KINDS.find(({ name }) => name === 'postgres') ?? assert.fail();
  const place = await kind.create();
  const houses = [await openCallHouse(place), await openCallHouse(place, { isFirst: false })];
  let cost = 0n;
  for (let round = 0; round < ROUNDS; round++) {
    const models = Array.from({ length: MODELS }, (_, index) => `model-${round}-${index}`);
    await Promise.all(
      houses.map(async ({ reserve, ledger }, house) => {
        const inOrder = house === 0 ? models : models.toReversed();
        const reservations = await Promise.all(inOrder.map((model) => reserve({ model })));
        const resolved = await Promise.all(
          reservations.map((reservation, index) => {
            cost += BigInt(index);
            return ledger.resolve(reservation, settled({ cost: BigInt(index) }));
          }),
        );
        assert.ok(resolved.every(Boolean));
      }),
    );
  }
  const { database, reports } = houses[0] ?? assert.fail();
  await assertSumsAreThoseOfTheCalls(database);
  const report = await reports.sumUsage({ organizationId }, []);
  assert.ok(Array.isArray(report));
  assert.deepEqual([report[0]?.calls, report[0]?.cost], [BigInt(2 * ROUNDS * MODELS), cost]);
  const sources = await database.read((db) => db.selectFrom('call_sources').select('digest'));
  assert.equal(sources.length, ROUNDS * MODELS);
  for (const { database } of houses) await database.close();
  await place.remove();
});

test('a process that finds a source gone, as after a fail-over, fails once and then writes it anew', async () => {
  for (const kind of DATABASE_KINDS) {
    const place = await kind.create();
    const { database, ledger, reserve, reports } = await openCallHouse(place);
    await ledger.resolve(await reserve(), settled());
    await database.commit({
      steps: [
        database.step((db) => db.deleteFrom('calls')),
        database.step((db) => db.deleteFrom('usage_hours')),
        database.step((db) => db.deleteFrom('usage_days')),
        database.step((db) => db.deleteFrom('call_sources')),
      ],
    });
    const reservation = await reserve();
    await assert.rejects(ledger.resolve(reservation, settled()), /unit of work failed/);
    await ledger.retryPostponed();
    assert.equal(ledger.postponed, 0);
    assert.equal((await reports.listCalls({ organizationId }, { limit: 10 })).length, 1);
    await assertSumsAreThoseOfTheCalls(database);
    await database.close();
    await place.remove();
  }
});
