/** Opens the SQLite files: takes the process lock, sets and reads back durability, migrates. Runs inside the worker. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { makeDurableFolder } from '../../kernel/durable-files.ts';
import {
  FACTS_TABLE,
  type MigrationSql,
  SCHEMA_VERSION_QUERY,
  pendingStatements,
} from '../migrations/pending.ts';
import type { WorkerSettings } from './messages.ts';

export interface Connection {
  readonly db: DatabaseSync;
  /** Gives the process lock back. */
  readonly release: () => void;
}

const DATABASE_FILE = 'keyfold.db';
const LOCK_FILE = 'keyfold.lock';
const BUSY_TIMEOUT_MS = 5_000;
/** Pages of WAL before SQLite checkpoints: 4,000 × 4 KiB is 16 MB, so that a checkpoint is rare and short. */
const CHECKPOINT_PAGES = 4_000;
const CACHE_KIB = 4_096;
const SYNCHRONOUS_FULL = 2;

export function openConnection(settings: WorkerSettings): Connection {
  const file = join(settings.directory, DATABASE_FILE);
  if (settings.role === 'reader') return { db: openReadOnly(settings.directory), release: () => undefined };
  makeDurableFolder(settings.directory);
  const lock = takeLock(join(settings.directory, LOCK_FILE));
  try {
    const db = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
    makeDurable(db, settings.pagesMax);
    migrate(db, settings.migrations);
    return { db, release: () => lock.close() };
  } catch (error) {
    lock.close();
    throw error;
  }
}

export function openReadOnly(directory: string): DatabaseSync {
  return new DatabaseSync(join(directory, DATABASE_FILE), { readOnly: true, timeout: BUSY_TIMEOUT_MS });
}

/** An exclusive transaction on a file of its own: the operating system drops the lock when the process dies, however it dies. */
function takeLock(file: string): DatabaseSync {
  const lock = new DatabaseSync(file, { timeout: 0 });
  try {
    lock.exec('pragma journal_mode = delete; begin exclusive');
    return lock;
  } catch (error) {
    lock.close();
    throw error;
  }
}

function makeDurable(db: DatabaseSync, pagesMax: number): void {
  db.exec(`pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on;
    pragma wal_autocheckpoint = ${CHECKPOINT_PAGES}; pragma cache_size = -${CACHE_KIB};
    pragma temp_store = memory; pragma max_page_count = ${pagesMax}`);
  const journal = db.prepare('pragma journal_mode').get();
  const synchronous = db.prepare('pragma synchronous').get();
  if (journal?.['journal_mode'] !== 'wal' || synchronous?.['synchronous'] !== SYNCHRONOUS_FULL) {
    throw new Error('SQLite did not accept journal_mode=WAL with synchronous=FULL');
  }
}

function migrate(db: DatabaseSync, migrations: MigrationSql): void {
  db.exec('begin immediate');
  try {
    db.exec(FACTS_TABLE);
    const applied = Number(db.prepare(SCHEMA_VERSION_QUERY).get()?.['value'] ?? 0);
    for (const sql of pendingStatements(migrations, applied)) db.exec(sql);
    db.exec('commit');
  } catch (error) {
    db.exec('rollback');
    throw error;
  }
}
