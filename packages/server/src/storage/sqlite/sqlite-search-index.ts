/**
 * `SearchIndex` on SQLite: FTS5 without its content, in a file of its own, so that the database that calls wait for is not
 * touched. It is made anew where it turns out to be broken: all that is in it stands in the log.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { BlockQuery, IndexedBlock, LastBlock, SearchIndex } from '../search-index.ts';

const FILE = 'audit-search.db';
const BUSY_TIMEOUT_MS = 5_000;
/** Of what the file means: an older one is made anew. */
const FORMAT = 1;
/** SQLITE_CORRUPT and SQLITE_NOTADB, of which the upper bits say more. */
const BROKEN = [11, 26];
const PRIMARY_CODE = 0xff;

const TABLES = `
  create table blocks (
    block integer primary key, from_ms integer not null, to_ms integer not null, head blob not null
  );
  create virtual table block_terms using fts5(
    terms, content='', contentless_delete=1, detail=none, tokenize='ascii'
  );
  pragma user_version = ${FORMAT}`;

/** Of the embedded database's one node. */
export class SqliteSearchIndex implements SearchIndex {
  readonly #file: string;
  #db: DatabaseSync;
  #generation = 0;

  constructor(directory: string) {
    this.#file = join(directory, FILE);
    this.#db = openIndex(this.#file);
  }

  get generation(): number {
    return this.#generation;
  }

  async lastBlock(): Promise<LastBlock | undefined> {
    const row = this.#use((db) =>
      db.prepare('select block, head from blocks order by block desc limit 1').get(),
    );
    return row === undefined ? undefined : { block: Number(row['block']), head: row['head'] as Uint8Array };
  }

  async add(_node: number, blocks: readonly IndexedBlock[]): Promise<void> {
    this.#transact((db) => {
      const insertBlock = db.prepare('insert into blocks (block, from_ms, to_ms, head) values (?, ?, ?, ?)');
      const insertTerms = db.prepare('insert into block_terms (rowid, terms) values (?, ?)');
      for (const { block, fromMs, toMs, terms, head } of blocks) {
        insertBlock.run(block, fromMs, toMs, head);
        insertTerms.run(block, terms.join(' '));
      }
    });
  }

  async find({ terms, before, fromMs, toMs, limit }: BlockQuery): Promise<number[]> {
    const conditions = ['block < ?'];
    const values: (string | number)[] = [before];
    if (fromMs !== undefined) {
      conditions.push('to_ms >= ?');
      values.push(fromMs);
    }
    if (toMs !== undefined) {
      conditions.push('from_ms < ?');
      values.push(toMs);
    }
    const matching =
      terms.length === 0
        ? 'select block from blocks'
        : 'select block from block_terms join blocks on block = block_terms.rowid';
    if (terms.length > 0) {
      conditions.unshift('block_terms match ?', 'block_terms.rowid < ?');
      values.unshift(renderMatch(terms), before);
    }
    const order = terms.length === 0 ? 'block' : 'block_terms.rowid';
    const sql = `${matching} where ${conditions.join(' and ')} order by ${order} desc limit ?`;
    const rows = this.#use((db) => db.prepare(sql).all(...values, limit));
    return rows.map((row) => Number(row['block']));
  }

  async forgetFrom(_node: number, block: number): Promise<void> {
    this.#forget('>=', block);
  }

  async forgetBefore(_node: number, block: number): Promise<void> {
    this.#forget('<', block);
  }

  /** The database has one process. */
  async mayWrite(): Promise<boolean> {
    return true;
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #forget(side: '>=' | '<', block: number): void {
    this.#transact((db) => {
      db.prepare(`delete from blocks where block ${side} ?`).run(block);
      const forget = db.prepare(`delete from block_terms where rowid ${side} ?`);
      // FTS5 tells a number of changes that no JavaScript number can hold.
      forget.setReadBigInts(true);
      forget.run(block);
    });
  }

  #transact(work: (db: DatabaseSync) => void): void {
    this.#use((db) => {
      db.exec('begin immediate');
      try {
        work(db);
        db.exec('commit');
      } catch (error) {
        if (db.isTransaction) db.exec('rollback');
        throw error;
      }
    });
  }

  /** Where the file turns out to be broken there is a new one afterwards, and this use has failed. */
  #use<Result>(work: (db: DatabaseSync) => Result): Result {
    try {
      return work(this.#db);
    } catch (error) {
      if (isBroken(error)) {
        this.#generation++;
        this.#db.close();
        this.#db = makeIndex(this.#file);
      }
      throw error;
    }
  }
}

function isBroken(error: unknown): boolean {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === 'number' && BROKEN.includes(code & PRIMARY_CODE);
}

/** `("a" OR "b") AND "c"`: the terms are letters and digits, so nothing in them means anything to FTS5. */
function renderMatch(groups: readonly (readonly string[])[]): string {
  return groups.map((group) => `(${group.map((term) => `"${term}"`).join(' OR ')})`).join(' AND ');
}

/** A file that cannot be used, or of another format, is made anew. */
function openIndex(file: string): DatabaseSync {
  try {
    return prepareIndex(new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS }));
  } catch {
    return makeIndex(file);
  }
}

function makeIndex(file: string): DatabaseSync {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(file + suffix, { force: true });
  return prepareIndex(new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS }));
}

function prepareIndex(db: DatabaseSync): DatabaseSync {
  try {
    // Under WAL this loses what was written last, and breaks nothing.
    db.exec('pragma journal_mode = wal; pragma synchronous = normal; pragma temp_store = memory');
    const format = db.prepare('pragma user_version').get()?.['user_version'];
    if (format === 0) db.exec(TABLES);
    else if (format !== FORMAT) throw new Error(`a search index of format ${String(format)}`);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}
