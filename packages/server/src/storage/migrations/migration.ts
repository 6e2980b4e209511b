/** Migrations: ordered, forward only, applied at start in one transaction and recorded in `facts`. */
import type { Compilable, Kysely } from 'kysely';
import { createQueryBuilder } from '../query-builder.ts';
import { initial } from './0001-initial.ts';

export interface Migration {
  readonly name: string;
  statements(db: Kysely<unknown>, dialect: 'sqlite' | 'postgres'): readonly Compilable[];
}

/** In the order in which they are applied. */
const MIGRATIONS: readonly Migration[] = [initial];

/** Creates the table that remembers what has been applied; safe to repeat. */
export const FACTS_TABLE = 'create table if not exists facts (name text primary key, value text not null)';
const SCHEMA_FACT = 'schema';

/** Reads how many migrations have been applied; no row means none. */
export const SCHEMA_VERSION_QUERY = `select value from facts where name = '${SCHEMA_FACT}'`;

/** The SQL that brings a database from `applied` migrations up to date. Throws when the database is newer than this program. */
export function pendingMigrations(dialect: 'sqlite' | 'postgres', applied: number): readonly string[] {
  if (applied > MIGRATIONS.length) {
    throw new Error(
      `the database was migrated by a newer Keyfold (schema ${applied}, this one knows ${MIGRATIONS.length})`,
    );
  }
  const pending = MIGRATIONS.slice(applied);
  if (pending.length === 0) return [];
  const db = createQueryBuilder(dialect) as unknown as Kysely<unknown>;
  return [
    ...pending.flatMap((migration) =>
      migration.statements(db, dialect).map((statement) => statement.compile().sql),
    ),
    `delete from facts where name = '${SCHEMA_FACT}'`,
    `insert into facts (name, value) values ('${SCHEMA_FACT}', '${MIGRATIONS.length}')`,
  ];
}
