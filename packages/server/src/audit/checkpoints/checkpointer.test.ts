import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, test } from 'node:test';
import pg from 'pg';
import { DATABASE_KINDS, type DatabasePlace } from '../../../test/databases.ts';
import { ManualClock } from '../../../test/manual-clock.ts';
import { endSession, until } from '../../../test/postgres-sessions.ts';
import { CheckpointKey } from '../../sealing/checkpoint-key.ts';
import { RootKey } from '../../sealing/root-key.ts';
import { EMPTY_CHAIN, chainRecord, headBytes } from '../../storage/audit-chain.ts';
import type { Database } from '../../storage/database.ts';
import { AuditLog } from '../audit-log.ts';
import { readWitness } from '../sinks/checkpoint-file.ts';
import { FileSink } from '../sinks/file-sink.ts';
import { CheckpointStore } from './checkpoint-store.ts';
import { Checkpointer, type CheckpointerParts } from './checkpointer.ts';
import { type Inconsistency, readHead } from './fold-chain.ts';

const key = new CheckpointKey(new RootKey(Buffer.alloc(32, 1)));
const otherKey = new CheckpointKey(new RootKey(Buffer.alloc(32, 2)));
const RECORD = { append: '"n":1}' };
const MINUTE_MS = 60_000;
/** Runs as nobody the key vouches for: with the database's own tools. */
type Edit = (sql: string) => Promise<void>;

for (const kind of DATABASE_KINDS) {
  describe(`checkpoints on ${kind.name}`, () => {
    let place: DatabasePlace;
    let folder: string;
    const opened: Database[] = [];
    beforeEach(async () => {
      place = await kind.create();
      folder = mkdtempSync(join(tmpdir(), 'keyfold-checkpoints-'));
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((database) => database.close()));
      await place.remove();
      rmSync(folder, { recursive: true });
    });

    const edit: Edit = async (sql) => {
      if (kind.name === 'sqlite') {
        const database = new DatabaseSync(join(place.location, 'keyfold.db'));
        database.exec(sql);
        database.close();
        return;
      }
      const client = new pg.Client({ connectionString: place.location });
      await client.connect();
      await client.query(sql);
      await client.end();
    };
    const witness = () => join(folder, 'checkpoints');
    const openHouse = async ({
      signsWith = key,
      file,
      readsWitness = async (node) => (file === undefined ? undefined : readWitness(file, { node, key })),
    }: {
      signsWith?: CheckpointKey;
      file?: string;
      readsWitness?: CheckpointerParts['readWitness'];
    } = {}) => {
      const clock = new ManualClock();
      const database = await place.open({ nowMs: () => clock.nowMs() });
      opened.push(database);
      const store = new CheckpointStore(database);
      const found: Inconsistency[] = [];
      const checkpointer = new Checkpointer({
        database,
        store,
        key: signsWith,
        audit: new AuditLog(database, clock),
        clock,
        readWitness: readsWitness,
        onSigned: () => undefined,
        onInconsistent: (of) => void found.push(of),
      });
      const append = (records: number) =>
        database.commit({ steps: Array.from({ length: records }, () => RECORD) });
      const sizes = async (node = 1) =>
        (await store.after({ node, size: 0 }, 10_000)).map(({ size }) => size);
      const close = async () => {
        opened.splice(opened.indexOf(database), 1);
        await database.close();
      };
      return { clock, database, store, checkpointer, found, append, sizes, close };
    };
    type Opened = Awaited<ReturnType<typeof openHouse>>;
    const signAll = async ({ checkpointer }: Opened): Promise<void> => {
      await checkpointer.run();
      await checkpointer.finish();
    };
    /** Some records that are signed, and some that are not, by a process that has ended. */
    const signSome = async (records: number, unsigned = 0): Promise<void> => {
      const house = await openHouse();
      await house.append(records);
      await signAll(house);
      const page = await house.store.after({ node: 1, size: 0 }, 100);
      assert.equal(page.at(-1)?.size, records);
      await new FileSink(witness()).deliver(page);
      if (unsigned > 0) await house.append(unsigned);
      await house.close();
    };
    const assertRefuses = async (house: Opened, wanted: Partial<Inconsistency>): Promise<void> => {
      const before = await house.sizes();
      await house.checkpointer.run();
      assert.equal(house.found.length, 1, 'it is noticed');
      assert.deepEqual({ ...house.found[0], ...wanted }, house.found[0]);
      await house.append(2_500);
      house.clock.advance(2 * MINUTE_MS);
      await house.checkpointer.run();
      await house.checkpointer.finish();
      assert.deepEqual(await house.sizes(), before, 'nothing is signed any more');
      assert.equal(house.found.length, 1, 'and it is told once');
      assert.deepEqual(house.checkpointer.inconsistencies, house.found);
      const [event] = await house.database.read((db) =>
        db.selectFrom('audit_records').select('record').where('record', 'like', '%audit.inconsistent%'),
      );
      assert.match(event?.record ?? '', /"target":"node-1","decision":"denied"/);
    };

    test('are made of every thousandth record, and of the newest each minute while there are records', async () => {
      const { append, checkpointer, clock, sizes, store } = await openHouse();
      await checkpointer.run();
      assert.deepEqual(await sizes(), [], 'an empty chain has none');
      await append(3);
      await checkpointer.run();
      assert.deepEqual(await sizes(), [3]);
      await append(2_500);
      await checkpointer.run();
      assert.deepEqual(await sizes(), [3, 1_000, 2_000], 'the newest is not a minute old');
      clock.advance(MINUTE_MS);
      await checkpointer.run();
      assert.deepEqual(await sizes(), [3, 1_000, 2_000, 2_503]);
      clock.advance(MINUTE_MS);
      await checkpointer.run();
      assert.equal((await sizes()).length, 4, 'without records there is nothing to sign');
      await append(1);
      await checkpointer.finish();
      assert.equal((await sizes()).at(-1), 2_504, 'an orderly stop signs what there is');
      for (const { node, size, head, note } of await store.after({ node: 1, size: 0 }, 10)) {
        const signed = key.open(note);
        assert.deepEqual(
          [signed?.node, signed?.size, Buffer.from(signed?.head ?? []).toString('base64')],
          [node, size, head],
        );
      }
    });

    test('are of the memory of the writer: a row that is edited meanwhile is never signed', async () => {
      const { append, checkpointer, clock, database, store } = await openHouse();
      await append(5);
      await checkpointer.run();
      await append(1_000);
      const { head } = database.chain.newest;
      await edit(`update audit_records set record = '{"sequence":7,"node":1,"n":2}', head = ${kind.name === 'sqlite' ? "x'00'" : "'\\x00'"}
        where sequence between 7 and 1005`);
      clock.advance(MINUTE_MS);
      await checkpointer.run();
      const newest = await store.newestOf(1);
      assert.equal(newest?.size, 1_005);
      assert.equal(newest.head, Buffer.from(head, 'base64url').toString('base64'));
    });

    test('go on after a restart, and cover what a killed process left unsigned', async () => {
      const first = await openHouse();
      await first.append(10);
      await first.checkpointer.run();
      await first.append(2_200);
      await first.close();
      const next = await openHouse();
      await signAll(next);
      assert.deepEqual([await next.sizes(), next.found], [[10, 1_000, 2_000, 2_210], []]);
    });

    test('are not made while the file cannot be read, and are as soon as it can', async () => {
      const house = await openHouse({ file: folder });
      await house.append(10);
      await assert.rejects(house.checkpointer.run(), /EISDIR/);
      house.clock.advance(1_000);
      await house.checkpointer.run();
      house.clock.advance(1_000);
      await assert.rejects(house.checkpointer.run(), /EISDIR/);
      rmSync(folder, { recursive: true });
      house.clock.advance(2_000);
      await house.checkpointer.run();
      mkdirSync(folder);
      assert.deepEqual(await house.sizes(), [10]);
    });

    test('are overdue once records have waited for a minute, and no longer than until they are signed', async () => {
      const { append, checkpointer, clock } = await openHouse();
      assert.equal(checkpointer.watchOverdueMs(), 0);
      await append(10);
      assert.equal(checkpointer.watchOverdueMs(), 0);
      clock.advance(MINUTE_MS + 5);
      assert.equal(checkpointer.watchOverdueMs(), 5);
      await checkpointer.run();
      assert.equal(checkpointer.watchOverdueMs(), 0);
      for (let turn = 0; turn < 5; turn++) {
        await append(1);
        clock.advance(MINUTE_MS);
        await checkpointer.run();
        assert.equal(checkpointer.watchOverdueMs(), 0, 'there is always a newer record');
      }
    });

    test('are overdue as well where the file does not answer, or the records hold no more, and a stop waits for neither', async () => {
      await signSome(10, 5);
      const hung = await openHouse({ readsWitness: () => new Promise(() => undefined) });
      const turn = hung.checkpointer.run();
      hung.checkpointer.watchOverdueMs();
      hung.clock.advance(10 * MINUTE_MS);
      assert.equal(hung.checkpointer.watchOverdueMs(), 9 * MINUTE_MS);
      hung.checkpointer.halt();
      await turn;
      await hung.close();
      await edit(`update audit_records set record = '{"n":2}' where sequence = 13`);
      const edited = await openHouse();
      await edited.checkpointer.run();
      edited.checkpointer.watchOverdueMs();
      edited.clock.advance(10 * MINUTE_MS);
      assert.deepEqual([edited.found.length, edited.checkpointer.watchOverdueMs()], [1, 9 * MINUTE_MS]);
    });

    test('begin where the records begin, where what is older was removed before anything was signed', async () => {
      const first = await openHouse();
      await first.append(1_200);
      await first.close();
      await edit('delete from audit_records where sequence < 900');
      const next = await openHouse();
      await signAll(next);
      assert.deepEqual([await next.sizes(), next.found], [[1_000, 1_200], []]);
    });

    for (const [what, sql, wanted] of [
      [
        'an unsigned record was edited',
        `update audit_records set record = '{"n":2}' where sequence = 1207`,
        { size: 1_207 },
      ],
      ['an unsigned record is missing', 'delete from audit_records where sequence = 1207', { size: 1_207 }],
      ['signed records were taken back', 'delete from audit_records where sequence > 1100', { size: 1_200 }],
      ['all records were taken back', 'delete from audit_records', { size: 1_200 }],
    ] as const) {
      test(`are never made again by a process that finds that ${what}`, async () => {
        await signSome(1_200, 20);
        await edit(sql);
        await assertRefuses(await openHouse(), wanted);
      });
    }

    test('are never made again where the last of them is signed with another key', async () => {
      await signSome(1_200);
      await assertRefuses(await openHouse({ signsWith: otherKey }), { size: 1_200 });
    });

    test('are never made again where the last of them is not what its note says', async () => {
      await signSome(1_200);
      await edit("update audit_checkpoints set head = 'AAAA' where size = 1200");
      await assertRefuses(await openHouse(), { size: 1_200 });
    });

    test('a database that was rolled back as a whole is known by the file', async () => {
      await signSome(1_200);
      await edit('delete from audit_records where sequence > 1100');
      await edit('delete from audit_checkpoints where size > 1100');
      await assertRefuses(await openHouse({ file: witness() }), { size: 1_200 });
    });

    test('a chain that was written anew, with all its heads, is known by the file', async () => {
      await signSome(1_200);
      await edit('delete from audit_records');
      await edit('delete from audit_checkpoints');
      const forger = await openHouse();
      await forger.database.commit({ steps: [{ append: '"n":2}' }] });
      await forger.append(1_300);
      await forger.close();
      await assertRefuses(await openHouse({ file: witness() }), { size: 1_200 });
    });

    /** Writes records anew from one on, with all heads after it. */
    const rewrite = async (of: { database: Database; node?: number; from: number; to: number }) => {
      const { database, node = 1, from, to } = of;
      const head = await readHead(database, { node, sequence: from - 1 });
      let state = from === 1 ? EMPTY_CHAIN : { sequence: from - 1, head: head ?? assert.fail() };
      for (let sequence = from; sequence <= to; sequence++) {
        const chained = chainRecord(state, { node, body: '"forged":1}' });
        state = chained.state;
        const bytes = headBytes(state.head).toString('hex');
        await edit(`update audit_records set at = 1, record = '${chained.record}',
          head = ${kind.name === 'sqlite' ? `x'${bytes}'` : `'\\x${bytes}'`}
          where node = ${node} and sequence = ${sequence}`);
      }
      return state.head;
    };

    test('a chain that was written anew up to the very size that the file has is known by the file', async () => {
      await signSome(10);
      await edit('delete from audit_checkpoints');
      const forger = await openHouse();
      await rewrite({ database: forger.database, from: 5, to: 10 });
      await forger.close();
      await assertRefuses(await openHouse({ file: witness() }), { size: 10 });
    });

    test('a beginning that was cut off together with the checkpoints is known by the file', async () => {
      await signSome(100, 5);
      await edit('delete from audit_checkpoints');
      await edit('delete from audit_records where sequence <= 102');
      await assertRefuses(await openHouse({ file: witness() }), { size: 101, why: 'records are missing' });
    });

    test('are never made of a chain that was rewritten under a running process', async () => {
      const house = await openHouse();
      await house.append(10);
      await house.checkpointer.run();
      await edit('update audit_checkpoints set size = 5000');
      await house.append(2_000);
      await house.checkpointer.run();
      await assertRefuses(house, { size: 5_000 });
    });

    if (kind.name === 'postgres') {
      test('two processes sign each its own node, and both at once do no harm', async () => {
        const [a, b] = [await openHouse(), await openHouse()];
        await Promise.all([a.append(1_100), b.append(2_100)]);
        await Promise.all([signAll(a), signAll(b)]);
        assert.deepEqual(
          [await a.sizes(1), await a.sizes(2)],
          [
            [1_000, 1_100],
            [1_000, 2_000, 2_100],
          ],
        );
        // A process that waits for its next turn is not taken for dead.
        await b.append(2_000);
        a.clock.advance(10 * MINUTE_MS);
        b.clock.advance(10 * MINUTE_MS);
        await Promise.all([a.checkpointer.run(), b.checkpointer.run()]);
        await b.append(5);
        b.clock.advance(MINUTE_MS);
        for (let turn = 0; turn < 3; turn++) await b.checkpointer.run();
        assert.deepEqual(await a.sizes(2), [1_000, 2_000, 2_100, 3_000, 4_000, 4_100, 4_105]);
        assert.deepEqual([a.found, b.found], [[], []]);
      });

      test('a node whose process is gone is signed by one that lives, once it was left for two minutes', async () => {
        const [a, b] = [await openHouse(), await openHouse()];
        await b.append(10);
        await b.checkpointer.run();
        await b.append(1_500);
        await b.close();
        a.clock.advance(MINUTE_MS);
        await a.checkpointer.run();
        assert.deepEqual(await a.sizes(2), [10]);
        a.clock.advance(2 * MINUTE_MS);
        await a.checkpointer.run();
        assert.deepEqual([await a.sizes(2), a.found], [[10, 1_000, 1_510], []]);
      });

      test('a node that was left and rewritten is not signed, and the own one still is', async () => {
        const [a, b] = [await openHouse(), await openHouse()];
        await b.append(10);
        await b.checkpointer.run();
        await b.append(10);
        await b.close();
        await edit(`update audit_records set record = '{"n":2}' where node = 2 and sequence = 15`);
        a.clock.advance(3 * MINUTE_MS);
        await a.append(7);
        await a.checkpointer.run();
        assert.deepEqual(
          a.found.map(({ node, size }) => [node, size]),
          [[2, 15]],
        );
        assert.deepEqual([await a.sizes(1), await a.sizes(2)], [[7], [10]]);
      });

      test('records of a living process are not signed from their rows, however old they say they are', async () => {
        const [a, b] = [await openHouse(), await openHouse()];
        await a.append(10);
        await a.checkpointer.run();
        await a.append(10);
        const { head } = a.database.chain.newest;
        await rewrite({ database: a.database, from: 11, to: 20 });
        b.clock.advance(10 * MINUTE_MS);
        await b.checkpointer.run();
        assert.deepEqual(await b.sizes(1), [10]);
        a.clock.advance(MINUTE_MS);
        await a.checkpointer.run();
        assert.equal((await a.store.newestOf(1))?.head, Buffer.from(head, 'base64url').toString('base64'));
      });

      test('a process that becomes another node signs what it knows of the one that it was', async () => {
        const house = await openHouse();
        await house.append(10);
        await house.checkpointer.run();
        await house.append(1_010);
        const { head } = house.database.chain.newest;
        const taker = new pg.Client({ connectionString: place.location });
        await taker.connect();
        const taken = taker.query('select pg_advisory_lock(1802201957, 1)');
        await endSession(place.location, 1);
        await taken;
        await until(async () => (house.database.chain.opening.number === 2 ? true : undefined));
        assert.equal(house.database.node, 2);
        await rewrite({ database: house.database, from: 1_001, to: 1_020 });
        house.clock.advance(3 * MINUTE_MS);
        await house.checkpointer.run();
        await taker.end();
        assert.deepEqual(await house.sizes(1), [10, 1_000, 1_020]);
        assert.equal(
          (await house.store.newestOf(1))?.head,
          Buffer.from(head, 'base64url').toString('base64'),
        );
      });

      test('what a process had made durable is not forgotten when it loses its session twice', async () => {
        const house = await openHouse();
        await house.append(10);
        await house.checkpointer.run();
        await house.append(10);
        await rewrite({ database: house.database, from: 11, to: 20 });
        for (const number of [2, 3]) {
          await endSession(place.location, 1);
          await until(async () => (house.database.chain.opening.number === number ? true : undefined));
        }
        await assertRefuses(house, { size: 20 });
      });

      test('a session that comes back must find what the one before it had made durable', async () => {
        const house = await openHouse();
        await house.append(10);
        await house.checkpointer.run();
        await house.append(10);
        await edit(
          'alter table audit_records disable trigger all; delete from audit_records where sequence > 15',
        );
        await endSession(place.location, 1);
        await until(async () => (house.database.chain.opening.number === 2 ? true : undefined));
        await assertRefuses(house, { size: 20 });
      });
    }
  });
}
