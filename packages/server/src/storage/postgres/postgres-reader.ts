/** `DatabaseReader` on PostgreSQL: two connections at most. */
import type { Compilable, Kysely } from 'kysely';
import pg from 'pg';
import { createQueryBuilder } from '../query-builder.ts';
import type { DatabaseReader } from '../reader.ts';
import type { Schema } from '../schema.ts';
import { connectionSettings } from './connect.ts';

const CONNECTIONS_MAX = 2;
const STATEMENT_TIMEOUT_MS = 10_000;

export class PostgresReader implements DatabaseReader {
  readonly dialect = 'postgres';
  readonly #builder = createQueryBuilder('postgres');
  readonly #pool: pg.Pool;

  constructor(url: string) {
    const settings = connectionSettings({ url, statementTimeoutMs: STATEMENT_TIMEOUT_MS });
    this.#pool = new pg.Pool({ ...settings, max: CONNECTIONS_MAX });
    this.#pool.on('error', () => undefined);
  }

  async read<Row>(build: (db: Kysely<Schema>) => Compilable<Row>): Promise<Row[]> {
    const { sql, parameters } = build(this.#builder).compile();
    const result = await this.#pool.query(sql, [...parameters]);
    return result.rows as Row[];
  }

  async close(): Promise<void> {
    await this.#pool.end();
  }
}
