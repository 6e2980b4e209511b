/** `DatabaseReader` on SQLite: one read-only connection in the thread that asks. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { setImmediate } from 'node:timers/promises';
import type { Compilable, Kysely } from 'kysely';
import { createQueryBuilder } from '../query-builder.ts';
import type { DatabaseReader } from '../reader.ts';
import type { Schema } from '../schema.ts';
import type { SqlValue } from '../statement.ts';
import { openReadOnly } from './open-connection.ts';

/** Statements that are kept compiled; the few that follow the log are asked again and again. */
const STATEMENTS_MAX = 64;

export class SqliteReader implements DatabaseReader {
  readonly dialect = 'sqlite';
  readonly #db: DatabaseSync;
  readonly #builder = createQueryBuilder('sqlite');
  readonly #statements = new Map<string, StatementSync>();

  constructor(directory: string) {
    this.#db = openReadOnly(directory);
  }

  async read<Row>(build: (db: Kysely<Schema>) => Compilable<Row>): Promise<Row[]> {
    const { sql, parameters } = build(this.#builder).compile();
    // Reading takes the thread: between two reads whoever else has something to do there comes first.
    await setImmediate();
    return this.#prepare(sql).all(...(parameters as SqlValue[])) as Row[];
  }

  async close(): Promise<void> {
    this.#db.close();
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#db.prepare(sql);
      statement.setReadBigInts(true);
      if (this.#statements.size >= STATEMENTS_MAX) this.#statements.clear();
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}
