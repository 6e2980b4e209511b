/** Checks that the database can be reached: that SQLite's file opens and is not held, or that PostgreSQL accepts connections. */
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Config } from '../server-config.ts';
import { type Finding, failed, ok, reasonOf, skipped } from './finding.ts';

const NAME = 'database';
const DATABASE_FILE = 'keyfold.db';
/** A running server holds an exclusive lock on it. */
const LOCK_FILE = 'keyfold.lock';
const POSTGRES_PORT = 5_432;
const CONNECT_TIMEOUT_MS = 3_000;

/** `isServerUp`: whether a server answers, which explains a lock; absent when none was asked. */
export async function checkDatabase(config: Config, isServerUp: boolean | undefined): Promise<Finding> {
  if (config.databaseUrl === undefined) return checkSqlite(join(config.dataDir, 'data'), isServerUp);
  return checkPostgres(new URL(config.databaseUrl));
}

function checkSqlite(directory: string, isServerUp: boolean | undefined): Finding {
  const file = join(directory, DATABASE_FILE);
  if (!existsSync(file)) return failed(NAME, `${file} does not exist`, 'Run keyfold init, or keyfold serve.');
  const lock = join(directory, LOCK_FILE);
  if (isLocked(lock)) {
    if (isServerUp === true) return ok(NAME, `${file}, in use by the running server`);
    if (isServerUp === undefined) return skipped(NAME, `${file} is in use, as by a running server`);
    const advice = `Find the process with fuser ${lock}: wait for it or stop it, or set KEYFOLD_URL to where it listens.`;
    return failed(NAME, `${file} is held by a process that does not answer`, advice);
  }
  try {
    readSchema(file);
    return ok(NAME, file);
  } catch (error) {
    return failed(
      NAME,
      `${file} does not open (${reasonOf(error)})`,
      'Bring the data directory back from its backup.',
    );
  }
}

/** Reading needs a shared lock, which an exclusive one refuses. Held for an instant, so that it is in nobody's way. */
function isLocked(lock: string): boolean {
  if (!existsSync(lock)) return false;
  try {
    readSchema(lock);
    return false;
  } catch (error) {
    return error instanceof Error && /locked|busy/i.test(error.message);
  }
}

function readSchema(file: string): void {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 0 });
  try {
    database.prepare('select count(*) from sqlite_schema').get();
  } finally {
    database.close();
  }
}

/** A connection alone: whether the password holds, the server's own readiness tells. */
async function checkPostgres(url: URL): Promise<Finding> {
  if (url.hostname === '') return skipped(NAME, 'PostgreSQL on a local socket: see the server check');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = url.port === '' ? POSTGRES_PORT : Number(url.port);
  const where = `PostgreSQL at ${url.hostname}:${port}`;
  try {
    await reach(host, port);
    return ok(NAME, `${where} accepts connections`);
  } catch (error) {
    const advice = 'Start it, or correct the host and port in KEYFOLD_DATABASE_URL.';
    return failed(NAME, `${where} cannot be reached (${reasonOf(error)})`, advice);
  }
}

function reach(host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('timeout', () => socket.destroy(new Error(`no answer in ${CONNECT_TIMEOUT_MS} ms`)));
    socket.once('error', reject);
  });
}
