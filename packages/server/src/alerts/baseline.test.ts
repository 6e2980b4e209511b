import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Id } from '@keyfold/protocol';
import { DATABASE_KINDS, type DatabasePlace } from '../../test/databases.ts';
import { type LedgerHouse, openLedgerHouse, reserved, resolution } from '../../test/ledger-house.ts';
import { FLOOR_NANOS_PER_HOUR, HISTORY_MIN_HOURS, KeyHistory } from './baseline.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const FLOOR = { sum: FLOOR_NANOS_PER_HOUR, seconds: 3_600 };

for (const kind of DATABASE_KINDS) {
  describe(`what is usual for a key, on ${kind.name}`, () => {
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

    const spend = async (key: Id<'key'>, cost: bigint) => {
      const reservation = reserved(await house.reserve(key, cost));
      await house.ledger.resolve(reservation, resolution('settlement', cost));
      await house.database.barrier();
    };
    const baselineOf = (key: Id<'key'>) =>
      new KeyHistory({ reader: house.database, clock: house.clock }).baselineOf(key, house.clock.nowMs());
    const newKey = async (): Promise<Id<'key'>> => {
      const key = await house.newKey([]);
      const nowMs = house.clock.nowMs();
      const row = {
        id: key,
        organization_id: 'org_00000000',
        project_id: 'prj_00000000',
        kind: 'live',
        permissions: '[]',
        canary: 0,
        auto_rotate: 0,
        rotation_interval_s: 0,
        created_at: nowMs,
        revision: 1,
        mac: '',
      };
      const none = {
        name: null,
        models: null,
        networks: null,
        requests_per_minute: null,
        tokens_per_minute: null,
        concurrent_requests: null,
        not_before: null,
        expires_at: null,
        revoked_at: null,
        quarantined_at: null,
        signing: null,
        parent_id: null,
        parent_version: null,
        estimate: null,
        clamp_output: null,
        breaker: null,
        metadata: null,
      };
      const insert = house.database.step((db) => db.insertInto('keys').values({ ...row, ...none }));
      await house.database.commit({ steps: [insert] });
      return key;
    };

    test('is the floor while it has less than a day of history, and then what it spent, without the last hour', async () => {
      const key = await newKey();
      await spend(key, 48n);
      house.clock.advance(HISTORY_MIN_HOURS * HOUR_MS);
      await spend(key, 1_000n);
      assert.deepEqual(await baselineOf(key), FLOOR);
      house.clock.advance(HOUR_MS);
      await spend(key, 1_000n);
      assert.deepEqual(await baselineOf(key), { sum: 48n, seconds: HISTORY_MIN_HOURS * 3_600 });
    });

    test('looks back a week, and a key that has spent nothing has no floor once it is old', async () => {
      const [key, idle] = [await newKey(), await newKey()];
      await spend(key, 5n);
      house.clock.advance(8 * DAY_MS);
      await spend(key, 7n);
      house.clock.advance(2 * HOUR_MS);
      assert.deepEqual(await baselineOf(key), { sum: 7n, seconds: 7 * 86_400 });
      assert.deepEqual(await baselineOf(idle), { sum: 0n, seconds: 7 * 86_400 });
    });
  });
}
