/** Test support: a whole server over a database that many calls have gone through, and what it weighs. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { type Config, initKeyfold, startKeyfold } from '../../src/main.ts';
import type { Database } from '../../src/storage/database.ts';
import { PostgresDatabase } from '../../src/storage/postgres/postgres-database.ts';
import { SqliteDatabase } from '../../src/storage/sqlite/sqlite-database.ts';
import { type DatabaseKind, newBoot } from '../databases.ts';
import { CONFIG } from '../keyfold.ts';
import { ManualClock } from '../manual-clock.ts';
import { type Filled, fillCalls } from './fill-calls.ts';

export const START_MS = Date.UTC(2026, 9, 1);
export const DAYS = 30;
const SEED = 7;
const PAGE_BYTES = 4_096;

export interface FilledKeyfold extends AsyncDisposable {
  readonly filled: Filled;
  readonly calls: number;
  /** Bytes of each table with its indexes. */
  readonly bytes: ReadonlyMap<string, number>;
  /** Processor time of the whole process while it filled, microseconds a call. */
  readonly fillMicros: number;
  readonly open: (nowMs: () => number) => Promise<Database>;
  /** Asks as the administrator does. The server starts with the first question, and ends with `stop`. */
  readonly ask: (path: string) => Promise<Asked>;
  stop(): Promise<void>;
}

export interface Asked {
  readonly ms: number;
  readonly body: { readonly data: readonly Readonly<Record<string, unknown>>[]; readonly last_id: string };
}

export async function fillKeyfold(kind: DatabaseKind, calls: number): Promise<FilledKeyfold> {
  const dataDir = mkdtempSync(join(tmpdir(), 'keyfold-many-calls-'));
  const place = kind.name === 'postgres' ? await kind.create() : undefined;
  const adminKeyFile = join(dataDir, 'admin.key');
  const rootKeyFile = join(dataDir, 'root.key');
  const databaseUrl = place?.location;
  const config: Config = { ...CONFIG, dataDir, databaseUrl, rootKeyFile, adminKeyFile };
  const silence = { write: () => undefined };
  await initKeyfold(config, silence);
  const open = (nowMs: () => number): Promise<Database> =>
    databaseUrl === undefined
      ? SqliteDatabase.open({ directory: join(dataDir, 'data'), boot: newBoot(), nowMs })
      : PostgresDatabase.open({ url: databaseUrl, boot: newBoot(), nowMs });
  const { filled, fillMicros } = await fill(open, calls);
  const bytes = await (databaseUrl === undefined
    ? weighSqlite(join(dataDir, 'data'))
    : weighPostgres(databaseUrl));
  const key = readFileSync(adminKeyFile, 'utf8').trim();
  let running: ReturnType<typeof startKeyfold> | undefined;
  const stop = async () => {
    await (await running)?.stop();
    running = undefined;
  };
  return {
    filled,
    calls,
    bytes,
    fillMicros,
    open,
    ask: async (path) => {
      running ??= startKeyfold(config, silence);
      const { url } = await running;
      const startMs = performance.now();
      const response = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${key}` } });
      const text = await response.text();
      const ms = performance.now() - startMs;
      assert.equal(response.status, 200, text);
      return { ms, body: JSON.parse(text) as Asked['body'] };
    },
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
      await place?.remove();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

async function fill(open: (nowMs: () => number) => Promise<Database>, calls: number) {
  const clock = new ManualClock();
  const database = await open(() => clock.nowMs());
  const [row] = await database.read((db) => db.selectFrom('organizations').select(['id', 'revision']));
  assert.ok(row);
  const organization = { id: row.id as Filled['organizationId'], revision: Number(row.revision) };
  const before = process.cpuUsage();
  const filled = await fillCalls({
    database,
    clock,
    calls,
    seed: SEED,
    startMs: START_MS,
    days: DAYS,
    organization,
  });
  const { user, system } = process.cpuUsage(before);
  await database.close();
  return { filled, fillMicros: (user + system) / calls };
}

/** The whole file, so that pages which nothing uses count, too. */
function weighSqlite(directory: string): Promise<ReadonlyMap<string, number>> {
  const db = new DatabaseSync(join(directory, 'keyfold.db'), { readOnly: true });
  const rows = db
    .prepare(
      'select m.tbl_name as name, sum(s.pgsize) as bytes from dbstat s join sqlite_schema m on m.name = s.name group by 1',
    )
    .all() as { name: string; bytes: number }[];
  const pages = Number(db.prepare('pragma page_count').get()?.['page_count']);
  db.close();
  const used = rows.reduce((sum, { bytes }) => sum + bytes, 0);
  return Promise.resolve(
    new Map([
      ...rows.map(({ name, bytes }) => [name, bytes] as const),
      ['(free pages)', pages * PAGE_BYTES - used],
    ]),
  );
}

async function weighPostgres(url: string): Promise<ReadonlyMap<string, number>> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  // What was deleted meanwhile is free room, as it is where autovacuum has come by.
  await client.query('vacuum analyze');
  const { rows } = await client.query<{ name: string; bytes: string }>(
    "select relname as name, pg_total_relation_size(oid) as bytes from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'",
  );
  await client.end();
  return new Map(rows.map(({ name, bytes }) => [name, Number(bytes)]));
}
