import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, type Socket, connect, createServer } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import pg from 'pg';
import { DATABASE_KINDS, type DatabasePlace, newBoot } from '../../../test/databases.ts';
import { endSession, until } from '../../../test/postgres-sessions.ts';
import { Fault } from '../../kernel/fault.ts';
import { headText, nextHead } from '../audit-chain.ts';
import { PostgresDatabase } from './postgres-database.ts';

const STATEMENT_TIMEOUT_MS = 300;

describe('postgres database', () => {
  let place: DatabasePlace;
  const opened = new Set<PostgresDatabase>();

  const open = async (url = place.location) => {
    const database = await PostgresDatabase.open({
      url,
      boot: newBoot(),
      nowMs: Date.now,
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    });
    opened.add(database);
    return database;
  };
  const close = async (database: PostgresDatabase) => {
    opened.delete(database);
    await database.close();
  };

  beforeEach(async () => {
    place = await (DATABASE_KINDS[1] ?? assert.fail()).create();
  });
  afterEach(async () => {
    await Promise.all([...opened].map(close));
    await place.remove();
  });

  test('a commit that the server turned into a rollback is reported as failed, and the next one works', async () => {
    const database = await open();
    const insert = (name: string) =>
      database.step((db) => db.insertInto('facts').values({ name, value: 'x' }));
    // Leaves the transaction aborted without an error of any statement that is waited for.
    const abort = { sql: 'release savepoint unit', values: [] };
    await assert.rejects(database.commit({ steps: [insert('lost'), { append: '"n":1}' }, abort] }), Fault);
    await database.commit({ steps: [insert('kept'), { append: '"n":2}' }] });
    const facts = await database.read((db) =>
      db.selectFrom('facts').select('name').where('name', 'in', ['lost', 'kept']),
    );
    assert.deepEqual(
      facts.map(({ name }) => name),
      ['kept'],
    );
    const records = await database.read((db) => db.selectFrom('audit_records').select('sequence'));
    assert.deepEqual(
      records.map(({ sequence }) => sequence),
      [1n],
    );
  });

  test('a statement that waits too long for a lock fails its commit, and the next one works', async () => {
    const database = await open();
    const add = { balance: { budgetId: 'bud_1', periodStartMs: 0 }, posted: 1n, held: 0n };
    await database.commit({ steps: [add] });
    const other = new pg.Client({ connectionString: place.location });
    await other.connect();
    await other.query('begin');
    await other.query('select * from balances for update');
    await assert.rejects(database.commit({ steps: [add] }), /statement timeout/);
    await other.end();
    assert.deepEqual(await database.commit({ steps: [add] }), { committed: true });
  });

  test('a server that is silent fails the commit, and the next one goes over a new session', async () => {
    await using proxy = await startProxy(place.location);
    const database = await open(proxy.url);
    await database.commit({ steps: [{ append: '"n":1}' }] });
    proxy.silence();
    await assert.rejects(database.commit({ steps: [{ append: '"n":2}' }] }), Fault);
    await database.commit({ steps: [{ append: '"n":3}' }] });
    assert.ok((await database.livingBoots()).has(database.boot));
  });

  test('a session that the server ends is opened again by itself, as the same node, and its chain goes on', async () => {
    const database = await open();
    const other = await open();
    await other.commit({ steps: [{ append: '"n":"first"}' }] });
    await endSession(place.location, other.node);
    await until(async () => {
      const living = await database.livingBoots();
      return living.has(other.boot) ? true : undefined;
    });
    assert.equal(other.node, 2);
    await other.commit({ steps: [{ append: '"n":"second"}' }] });
    const [first, second] = await database.read((db) =>
      db.selectFrom('audit_records').selectAll().where('node', '=', 2n).orderBy('sequence'),
    );
    assert.equal(second?.sequence, 2n);
    const headOf = (row: typeof first) => headText(row?.head ?? Buffer.alloc(0));
    assert.equal(headOf(second), nextHead(headOf(first), second?.record ?? ''));
    assert.match(second?.record ?? '', /^\{"sequence":2,"node":2,/);
  });

  test('every process that has it open lives, and one that closed it does not', async () => {
    const [first, second] = [await open(), await open()];
    assert.deepEqual(await first.livingBoots(), new Set([first.boot, second.boot]));
    await close(second);
    assert.deepEqual(await first.livingBoots(), new Set([first.boot]));
  });

  test('commits are durable also where the database would not make them so', async () => {
    await close(await open());
    const client = new pg.Client({ connectionString: place.location });
    await client.connect();
    const name = new URL(place.location).pathname.slice(1);
    await client.query(`alter database ${name} set synchronous_commit = off`);
    await client.end();
    const database = await open();
    const isOn = "select 1 where current_setting('synchronous_commit') = 'on'";
    assert.deepEqual(await database.commit({ steps: [{ sql: isOn, values: [], guard: 'finds-row' }] }), {
      committed: true,
    });
  });
});

/** Forwards to the server until it is silenced: what is connected then gets no more answers, what connects later does. */
async function startProxy(target: string) {
  const { hostname, port } = new URL(target);
  const silenced = new Set<Socket>();
  const running = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    running.add(client).add(upstream);
    upstream.on('data', (bytes) => silenced.has(client) || client.write(bytes));
    client.on('data', (bytes) => silenced.has(client) || upstream.write(bytes));
    for (const socket of [client, upstream]) {
      socket.on('error', () => undefined);
      socket.on('close', () => silenced.has(client) || [client, upstream].map((each) => each.destroy()));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: url.href,
    silence: () => running.forEach((socket) => silenced.add(socket)),
    [Symbol.asyncDispose]: async () => {
      for (const socket of running) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
