/** Reading a database from another thread, on connections of its own, so that following the log takes nothing from the calls. */
import type { Compilable, Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** Where a database is; can be given to a worker thread. */
export type DatabasePlace =
  | { readonly dialect: 'sqlite'; readonly directory: string }
  | { readonly dialect: 'postgres'; readonly url: string };

export interface DatabaseReader {
  readonly dialect: 'sqlite' | 'postgres';
  /** Rows of a query, every integer as `bigint`. Sees every commit that has ended. Throws what the driver throws. */
  read<Row>(build: (db: Kysely<Schema>) => Compilable<Row>): Promise<Row[]>;
  close(): Promise<void>;
}
