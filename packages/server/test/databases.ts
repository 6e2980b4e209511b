/** Fresh databases for contract suites, one a test, on every implementation that Keyfold supports. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import type { Database } from '../src/storage/database.ts';
import { PostgresDatabase } from '../src/storage/postgres/postgres-database.ts';
import { SqliteDatabase } from '../src/storage/sqlite/sqlite-database.ts';

/** An empty place for a database, which can be opened again and again, as by one process after another. */
export interface DatabasePlace {
  open(options?: { nowMs?: () => number; pagesMax?: number }): Promise<Database>;
  /** Where the place is, as configuration says it: a directory or a `postgres://` URL. */
  readonly location: string;
  remove(): Promise<void>;
}

export interface DatabaseKind {
  readonly name: 'sqlite' | 'postgres';
  create(): Promise<DatabasePlace>;
}

export const DATABASE_KINDS: readonly DatabaseKind[] = [
  { name: 'sqlite', create: createSqlitePlace },
  { name: 'postgres', create: createPostgresPlace },
];

export function newBoot(): string {
  return randomBytes(6).toString('hex');
}

function createSqlitePlace(): Promise<DatabasePlace> {
  const directory = mkdtempSync(join(tmpdir(), 'keyfold-sqlite-'));
  return Promise.resolve({
    location: directory,
    open: ({ nowMs = Date.now, ...rest } = {}) =>
      SqliteDatabase.open({ directory, boot: newBoot(), nowMs, ...rest }),
    remove: () => Promise.resolve(rmSync(directory, { recursive: true, force: true })),
  });
}

async function createPostgresPlace(): Promise<DatabasePlace> {
  const server = process.env['KEYFOLD_TEST_POSTGRES_URL'];
  if (server === undefined)
    throw new Error('KEYFOLD_TEST_POSTGRES_URL is not set: run the suites with `npm test`');
  const name = `keyfold_test_${randomBytes(6).toString('hex')}`;
  await execute(server, `create database ${name}`);
  const url = new URL(server);
  url.pathname = `/${name}`;
  return {
    location: url.href,
    open: ({ nowMs = Date.now } = {}) => PostgresDatabase.open({ url: url.href, boot: newBoot(), nowMs }),
    remove: () => execute(server, `drop database ${name} with (force)`),
  };
}

async function execute(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(sql);
  await client.end();
}
