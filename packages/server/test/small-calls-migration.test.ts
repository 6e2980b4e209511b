/** A database of the shape before migration 0005, with calls and audit records in it, is opened by this Keyfold. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import type { Id } from '@keyfold/protocol';
import pg from 'pg';
import { createNewId } from '../src/kernel/new-id.ts';
import { SystemRandom } from '../src/kernel/random.ts';
import { LedgerReports } from '../src/ledger/reports.ts';
import { EMPTY_CHAIN, chainRecord, headText, nextHead } from '../src/storage/audit-chain.ts';
import type { Database } from '../src/storage/database.ts';
import { renderMigrations } from '../src/storage/migrations/migration.ts';
import { openCallHouse, settled } from './call-house.ts';
import { assertSumsAreThoseOfTheCalls } from './check-sums.ts';
import { DATABASE_KINDS, type DatabaseKind, type DatabasePlace } from './databases.ts';
import { ManualClock } from './manual-clock.ts';

type Row = Readonly<Record<string, string | number | null>>;

const BEFORE = 4;
const START_MS = Date.UTC(2026, 9, 31, 20);
const CALLS = 60;
const RECORDS = 25;
const organizationId = 'org_00000001' as Id<'organization'>;

for (const kind of DATABASE_KINDS) {
  describe(`a database from before small calls on ${kind.name}`, () => {
    const rows = oldCalls();
    const records = oldRecords();
    let place: DatabasePlace;
    let database: Database;
    let reports: LedgerReports;

    before(async () => {
      place = await kind.create();
      await makeOld(kind, place, { calls: rows, audit_records: records });
      database = await place.open();
      reports = new LedgerReports(database, new ManualClock());
    });
    after(async () => {
      await database.close();
      await place.remove();
    });

    test('lists the same calls, with every fact of each', async () => {
      const calls = await reports.listCalls({ organizationId }, { limit: 1_000 });
      const read = calls.toReversed().map((call) => ({
        id: call.id,
        organization_id: call.organizationId,
        project_id: call.projectId,
        key_id: call.keyId,
        key_version: call.keyVersion,
        request_id: call.requestId,
        endpoint: call.endpoint,
        provider: call.provider,
        model: call.model,
        credential_id: call.credentialId,
        streamed: call.streamed ? 1 : 0,
        resolution: call.resolution,
        certainty: call.provenance === 'provider' ? 'exact' : call.provenance,
        status: call.status,
        error: call.error,
        flags: call.flags.length === 0 ? null : call.flags.join(' '),
        ...call.tokens,
        held_nanos: String(call.held),
        cost_nanos: String(call.cost),
        reserved_at: call.reservedAtMs,
        resolved_at: call.resolvedAtMs,
        attempt: call.attempt,
        route: call.route,
      }));
      assert.deepEqual(
        read,
        rows.filter((row) => row['organization_id'] === organizationId),
      );
    });

    test('reports the same usage, to which new calls of the same source are added', async () => {
      await assertSumsAreThoseOfTheCalls(database);
      const [total] = await sums([]);
      const mine = rows.filter((row) => row['organization_id'] === organizationId);
      assert.equal(total?.calls, BigInt(mine.filter((row) => row['attempt'] === 1).length));
      assert.equal(
        total?.cost,
        mine.reduce((sum, row) => sum + BigInt(row['cost_nanos'] ?? 0), 0n),
      );
      const before = new Map(
        (await sums(['key', 'day'])).map((sum) => [JSON.stringify(sum.group), sum.cost]),
      );
      await database.close();
      const house = await openCallHouse(place, { isFirst: false });
      const { database: opened } = house;
      await opened.commit({
        steps: [opened.step((db) => db.insertInto('organizations').values(ORGANIZATION))],
      });
      house.clock.setTo(START_MS);
      const key = { organizationId, keyId: 'key_1' as Id<'key'>, projectId: 'prj_1' as Id<'project'> };
      await house.ledger.resolve(await house.reserve({ ...key, model: 'model-1' }), settled({ cost: 5n }));
      await opened.barrier();
      await opened.close();
      database = await place.open();
      reports = new LedgerReports(database, new ManualClock());
      await assertSumsAreThoseOfTheCalls(database);
      const name = JSON.stringify({ key: 'key_1', day: '2026-10-31' });
      const after = new Map((await sums(['key', 'day'])).map((sum) => [JSON.stringify(sum.group), sum.cost]));
      assert.equal(after.get(name), (before.get(name) ?? 0n) + 5n);
      assert.equal(after.size, before.size);
    });

    test('keeps every audit record and its head, and the chain goes on', async () => {
      const [first] = records;
      assert.ok(first);
      const kept = await database.read((db) =>
        db.selectFrom('audit_records').selectAll().where('node', '=', 1n).orderBy('sequence'),
      );
      assert.ok(kept.length > RECORDS);
      let { head } = EMPTY_CHAIN;
      for (const [index, row] of kept.entries()) {
        head = nextHead(head, row.record);
        assert.equal(row.sequence, BigInt(index + 1));
        assert.equal(headText(row.head), head);
        const old = records[index];
        if (old !== undefined) assert.deepEqual([row.record, head], [old['record'], old['head']]);
      }
    });

    const sums = async (groups: readonly ('key' | 'day')[]) => {
      const report = await reports.sumUsage({ organizationId }, groups);
      assert.ok(Array.isArray(report));
      return report;
    };
  });
}

const ORGANIZATION = { id: organizationId, name: 'o', created_at: 0, revision: 1 };

/** Calls over midnight of a month's end, of all endings, in the order of their ids. */
function oldCalls(): Row[] {
  const clock = new ManualClock();
  const newId = createNewId(clock, new SystemRandom());
  return Array.from({ length: CALLS }, (_, index) => {
    const reservedAt = START_MS + index * 600_000;
    clock.setTo(reservedAt);
    return {
      id: newId('reservation'),
      organization_id: index % 10 === 9 ? 'org_00000002' : organizationId,
      project_id: `prj_${index % 2}`,
      key_id: `key_${index % 3}`,
      key_version: 1 + index,
      request_id: newId('request'),
      endpoint: index % 7 === 0 ? 'embeddings' : 'chat.completions',
      provider: 'openai',
      model: `model-${index % 4}`,
      credential_id: index % 5 === 0 ? null : 'crd_1',
      streamed: index % 2,
      resolution: ['settlement', 'release', 'expiry'][index % 3] ?? '',
      certainty: ['exact', 'counted', 'estimated'][index % 3] ?? '',
      status: index % 3 === 2 ? 0 : 200,
      error: index % 3 === 2 ? 'process_died' : null,
      flags: index % 4 === 0 ? 'overrun estimated' : null,
      input_tokens: index * 100,
      cached_input_tokens: index % 2,
      cache_write_tokens: 0,
      audio_input_tokens: index % 3,
      image_input_tokens: 0,
      output_tokens: 7,
      reasoning_tokens: index % 5,
      audio_output_tokens: 0,
      image_output_tokens: 1_000_000_000_000,
      held_nanos: '9007199254740993',
      cost_nanos: String(9_007_199_254_740_993n + BigInt(index)),
      reserved_at: reservedAt,
      resolved_at: reservedAt + index * 1_000,
      attempt: 1 + (index % 2),
      route: index % 6 === 0 ? 'fast' : null,
    };
  });
}

function oldRecords(): Row[] {
  let state = EMPTY_CHAIN;
  return Array.from({ length: RECORDS }, (_, index) => {
    const chained = chainRecord(state, { node: 1, body: `"n":"ä${index}"}` });
    state = chained.state;
    return { node: 1, sequence: index + 1, at: START_MS + index, record: chained.record, head: state.head };
  });
}

async function makeOld(
  kind: DatabaseKind,
  place: DatabasePlace,
  tables: Readonly<Record<string, readonly Row[]>>,
) {
  const statements = [
    'create table facts (name text primary key, value text not null)',
    ...renderMigrations(kind.name).slice(0, BEFORE).flat(),
    `insert into facts (name, value) values ('schema', '${BEFORE}')`,
  ];
  const inserts = Object.entries(tables).flatMap(([table, rows]) =>
    rows.map((row) => ({ table, columns: Object.keys(row), values: Object.values(row) })),
  );
  if (kind.name === 'sqlite') {
    const db = new DatabaseSync(join(place.location, 'keyfold.db'));
    for (const sql of statements) db.exec(sql);
    for (const { table, columns, values } of inserts) {
      const sql = `insert into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`;
      db.prepare(sql).run(...values);
    }
    db.close();
    return;
  }
  const client = new pg.Client({ connectionString: place.location });
  await client.connect();
  for (const sql of statements) await client.query(sql);
  for (const { table, columns, values } of inserts) {
    const places = columns.map((_, index) => `$${index + 1}`).join(', ');
    await client.query(`insert into ${table} (${columns.join(', ')}) values (${places})`, values);
  }
  await client.end();
}
