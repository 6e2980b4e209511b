import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { type Id, ZERO_NANOS } from '@keyfold/protocol';
import { DATABASE_KINDS, type DatabasePlace } from '../../test/databases.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { endSession, until } from '../../test/postgres-sessions.ts';
import { AuditLog } from '../audit/audit-log.ts';
import { Fault } from '../kernel/fault.ts';
import { createNewId } from '../kernel/new-id.ts';
import { SystemRandom } from '../kernel/random.ts';
import type { Database } from '../storage/database.ts';
import { Ledger } from './ledger.ts';
import { Recovery } from './recover.ts';
import { LedgerReports } from './reports.ts';
import type { Reservation, Resolution } from './reservation.ts';

const organizationId = 'org_00000000' as Id<'organization'>;
const GRACE_MS = 30_000;
const LOOK_AGAIN_AFTER_MS = 500;
const MANY = 501;

/** The databases of the processes that a test left alive. */
const open = new Set<Database>();

async function closeAll(): Promise<void> {
  for (const database of open) await database.close();
  open.clear();
}

for (const kind of DATABASE_KINDS) {
  describe(`recovery at start on ${kind.name}`, () => {
    let place: DatabasePlace;
    before(async () => {
      place = await kind.create();
      await makeOrganization(place);
    });
    afterEach(closeAll);
    after(() => place.remove());

    test('a row that cannot be resolved is reported, and keeps no other from it', async () => {
      const dead = await openProcess(place);
      await Promise.all(Array.from({ length: MANY }, () => dead.reserve()));
      const step = dead.database.step((db) =>
        db
          .updateTable('reservations')
          .set({ call: 'not JSON' })
          .where('id', 'in', [dead.reserved[0] ?? '']),
      );
      await dead.database.commit({ steps: [step] });
      await dead.die();
      const process = await openProcess(place);
      assert.deepEqual(await process.recovery.recoverAtStart(), { expired: MANY - 1, failed: 1 });
      assert.deepEqual(await process.left(), [dead.reserved[0]]);
    });

    test('it gives up when a whole page fails, and takes up the work at a later turn', async () => {
      const dead = await openProcess(place);
      await Promise.all(Array.from({ length: MANY }, () => dead.reserve()));
      await dead.die();
      const process = await openProcess(place);
      const before = (await process.left()).length;
      process.breakCommits(true);
      const { expired, failed } = await process.recovery.recoverAtStart();
      assert.equal(expired, 0);
      assert.ok(failed > 0 && failed < before, `${failed} of ${before} failed before it gave up`);
      process.breakCommits(false);
      process.clock.advance(GRACE_MS);
      assert.equal((await process.recovery.recover()).expired, MANY);
    });
  });
}

describe('recovery between processes on postgres', () => {
  let place: DatabasePlace;
  before(async () => {
    place = await (DATABASE_KINDS[1] ?? assert.fail()).create();
    await makeOrganization(place);
  });
  afterEach(closeAll);
  after(() => place.remove());

  test('a process whose session breaks is not dead: its call is not expired, and it settles it once', async () => {
    const [living, other] = [await openProcess(place), await openProcess(place)];
    const reservation = await living.reserve();
    await endSession(place.location, living.database.node);
    assert.deepEqual(await other.recovery.recoverAtStart(), { expired: 0, failed: 0 });
    assert.deepEqual(await other.recovery.recover(), { expired: 0, failed: 0 });
    await until(async () =>
      (await other.database.livingBoots()).has(living.database.boot) ? true : undefined,
    );
    other.clock.advance(GRACE_MS);
    assert.deepEqual(await other.recovery.recover(), { expired: 0, failed: 0 });
    assert.equal(await living.ledger.resolve(reservation, SETTLED), true);
    assert.equal(await living.ledger.resolve(reservation, SETTLED), false);
    assert.deepEqual(await living.left(), []);
  });

  test('two living processes do not expire what the other is doing', async () => {
    const [first, second] = [await openProcess(place), await openProcess(place)];
    await first.reserve();
    await second.reserve();
    for (const process of [first, second]) {
      assert.deepEqual(await process.recovery.recoverAtStart(), { expired: 0, failed: 0 });
      process.clock.advance(GRACE_MS);
      assert.deepEqual(await process.recovery.recover(), { expired: 0, failed: 0 });
    }
    await first.die();
    await second.die();
    const last = await openProcess(place);
    assert.deepEqual(await last.recovery.recoverAtStart(), { expired: 2, failed: 0 });
  });

  test('what a dead process left beside a living one is expired when it was gone for the whole grace', async () => {
    const [dead, living] = [await openProcess(place), await openProcess(place)];
    await dead.reserve();
    await dead.die();
    const third = await openProcess(place);
    for (const process of [living, third]) {
      // The third starts while another lives, so it cannot tell a dead process from one that reconnects.
      assert.deepEqual(await process.recovery.recoverAtStart(), { expired: 0, failed: 0 });
      process.clock.advance(GRACE_MS - 1);
      assert.deepEqual(await process.recovery.recover(), { expired: 0, failed: 0 });
      process.clock.advance(1);
    }
    const results = await Promise.all([living.recovery.recover(), third.recovery.recover()]);
    assert.ok(results.every(({ failed }) => failed === 0));
    assert.ok(results.some(({ expired }) => expired === 1));
    assert.equal((await living.calls()).filter((call) => call.id === dead.reserved[0]).length, 1);
  });
});

const SETTLED: Resolution = {
  kind: 'settlement',
  cost: ZERO_NANOS,
  usage: {
    inputTokens: 1,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 1,
    reasoningTokens: 0,
    provenance: 'provider',
  },
  status: 200,
  error: undefined,
  flags: [],
};

async function makeOrganization(place: DatabasePlace): Promise<void> {
  const database = await place.open();
  const organization = { id: organizationId, name: 'o', created_at: 0, revision: 1 };
  await database.commit({
    steps: [database.step((db) => db.insertInto('organizations').values(organization))],
  });
  await database.close();
}

/** What a process has of storage, ledger and recovery. */
async function openProcess(place: DatabasePlace) {
  const clock = new ManualClock();
  const database = await place.open({ nowMs: () => clock.nowMs() });
  open.add(database);
  const newId = createNewId(clock, new SystemRandom());
  let isBroken = false;
  const commit: Database['commit'] = (...given) =>
    isBroken
      ? Promise.reject(new Fault('unavailable', { internal: 'disk full' }))
      : database.commit(...given);
  const ledgerDatabase = new Proxy(database, {
    get: (target, name) => {
      const value: unknown = name === 'commit' ? commit : Reflect.get(target, name, target);
      return typeof value === 'function' && name !== 'prepare' ? value.bind(target) : value;
    },
  });
  const ledger = new Ledger({
    database: ledgerDatabase,
    audit: new AuditLog(database, clock),
    clock,
    newId,
  });
  const reserved: string[] = [];
  return {
    clock,
    database,
    ledger,
    reserved,
    recovery: new Recovery(
      { database, ledger, clock },
      { graceMs: GRACE_MS, lookAgainAfterMs: LOOK_AGAIN_AFTER_MS },
    ),
    die: () => {
      open.delete(database);
      return database.close();
    },
    breakCommits: (value: boolean) => void (isBroken = value),
    reserve: async (): Promise<Reservation> => {
      const call = {
        organizationId,
        projectId: 'prj_00000000' as Id<'project'>,
        keyId: newId('key'),
        keyVersion: 1,
        requestId: newId('request'),
        endpoint: 'chat.completions',
        provider: 'sandbox',
        model: 'echo',
        credentialId: undefined,
        streamed: false,
        attempt: 1,
        route: undefined,
      };
      const answer = await ledger.reserve({
        call,
        budgets: [],
        credit: undefined,
        claims: [],
        amount: ZERO_NANOS,
        estimate: ZERO_NANOS,
        organizationRevision: 1,
      });
      assert.ok(typeof answer === 'object' && 'holds' in answer);
      reserved.push(answer.id);
      return answer;
    },
    left: async () => {
      const rows = await database.read((db) => db.selectFrom('reservations').select('id'));
      return rows.map(({ id }) => id);
    },
    calls: () => new LedgerReports(database, clock).listCalls({ organizationId }, { limit: 1_000 }),
  };
}
