import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import {
  CREDENTIALS,
  type CallHouse,
  KEYS,
  ORGANIZATIONS,
  PROJECTS,
  openCallHouse,
  settled,
} from '../../test/call-house.ts';
import { DATABASE_KINDS, type DatabasePlace } from '../../test/databases.ts';
import type { CallFilter, CallRow } from './reports.ts';

const START_MS = Date.UTC(2026, 2, 30);
const MINUTE_MS = 60_000;
const CALLS = 3_000;
const organizationId = ORGANIZATIONS[0] ?? assert.fail();
const strangerId = ORGANIZATIONS[1] ?? assert.fail();

for (const kind of DATABASE_KINDS) {
  describe(`pages of calls on ${kind.name}`, () => {
    let place: DatabasePlace;
    let house: CallHouse;
    /** Newest first, as the database has them all. */
    let all: readonly CallRow[];

    before(async () => {
      place = await kind.create();
      house = await openCallHouse(place);
      await makeCalls(house);
      all = await house.reports.listCalls({ organizationId }, { limit: CALLS });
    });
    after(async () => {
      await house.database.close();
      await place.remove();
    });

    test('whatever is asked for, every page there and back is the rows of the whole list that it should be', async () => {
      assert.ok(all.length > 2_000 && all.length < CALLS);
      const ids = all.map(({ id }) => id);
      assert.deepEqual(ids, ids.toSorted().toReversed());
      await fc.assert(
        fc.asyncProperty(
          fc.record({
            keyId: maybe(...KEYS),
            projectId: maybe(...PROJECTS),
            model: maybe('common', 'rare', 'none'),
            credentialId: maybe('crd_00000001', 'crd_00000002'),
            from: fc.option(fc.nat(CALLS), { nil: undefined }),
            minutes: fc.option(fc.nat(CALLS), { nil: undefined }),
          }),
          fc.integer({ min: 1, max: 100 }),
          fc.nat(CALLS),
          async ({ from, minutes, ...names }, limit, start) => {
            const filter: CallFilter = {
              organizationId,
              ...names,
              fromMs: from === undefined ? undefined : START_MS + from * MINUTE_MS,
              toMs: minutes === undefined ? undefined : START_MS + ((from ?? 0) + minutes) * MINUTE_MS,
            };
            const wanted = all.filter((row) => isWanted(row, filter));
            const cursor = all[start % all.length]?.id ?? assert.fail();
            assert.deepEqual(
              await house.reports.listCalls(filter, { limit, after: cursor }),
              wanted.filter(({ id }) => id < cursor).slice(0, limit + 1),
            );
            assert.deepEqual(
              await house.reports.listCalls(filter, { limit, before: cursor }),
              wanted
                .filter(({ id }) => id > cursor)
                .toReversed()
                .slice(0, limit + 1),
            );
            const other = all[(start * 7) % all.length]?.id ?? assert.fail();
            assert.deepEqual(
              await house.reports.listCalls(filter, { limit, after: cursor, before: other }),
              wanted
                .filter(({ id }) => id > other && id < cursor)
                .toReversed()
                .slice(0, limit + 1),
            );
            assert.deepEqual(await house.reports.listCalls(filter, { limit }), wanted.slice(0, limit + 1));
          },
        ),
        { seed: 4, numRuns: 150 },
      );
    });

    test('a request has all its attempts on one page, and a stranger has none of them', async () => {
      const requestId = house.newId('request');
      for (const attempt of [1, 2, 3]) {
        await house.ledger.resolve(await house.reserve({ requestId, attempt }), settled());
      }
      const rows = await house.reports.listCalls({ organizationId, requestId }, { limit: 20 });
      assert.deepEqual(rows.map(({ attempt }) => attempt).sort(), [1, 2, 3]);
      const stranger = { organizationId: strangerId, requestId };
      assert.deepEqual(await house.reports.listCalls(stranger, { limit: 20 }), []);
      assert.deepEqual(
        await house.reports.listCalls({ organizationId, requestId: 'req_1' }, { limit: 20 }),
        [],
      );
    });
  });
}

function maybe<Value>(...values: readonly Value[]): fc.Arbitrary<Value | undefined> {
  return fc.option(fc.constantFrom(...values), { nil: undefined });
}

/** A call a minute, one in some hundred of a rare model, some of another organization. */
async function makeCalls({ clock, reserve, ledger }: CallHouse): Promise<void> {
  const reservations = await Promise.all(
    Array.from({ length: CALLS }, (_, index) => {
      clock.setTo(START_MS + index * MINUTE_MS);
      return reserve({
        organizationId: index % 7 === 0 ? strangerId : organizationId,
        projectId: PROJECTS[index % 2] ?? assert.fail(),
        keyId: KEYS[index < 2_000 ? index % 2 : 2] ?? assert.fail(),
        credentialId: CREDENTIALS[index % 3],
        model: index % 311 === 0 ? 'rare' : 'common',
      });
    }),
  );
  await Promise.all(reservations.map((reservation) => ledger.resolve(reservation, settled())));
}

function isWanted(row: CallRow, filter: CallFilter): boolean {
  return (
    (filter.keyId === undefined || row.keyId === filter.keyId) &&
    (filter.projectId === undefined || row.projectId === filter.projectId) &&
    (filter.model === undefined || row.model === filter.model) &&
    (filter.credentialId === undefined || row.credentialId === filter.credentialId) &&
    row.reservedAtMs >= (filter.fromMs ?? 0) &&
    row.reservedAtMs < (filter.toMs ?? Infinity)
  );
}
