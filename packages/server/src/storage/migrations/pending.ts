/** Which migrations a database still needs. Works on plain SQL, so that the SQLite worker need not load the query builder. */

/** The statements of each migration, in the order in which they are applied. */
export type MigrationSql = readonly (readonly string[])[];

const SCHEMA_FACT = 'schema';

/** Creates the table that remembers what has been applied; safe to repeat. */
export const FACTS_TABLE = 'create table if not exists facts (name text primary key, value text not null)';

/** Reads how many migrations have been applied; no row means none. */
export const SCHEMA_VERSION_QUERY = `select value from facts where name = '${SCHEMA_FACT}'`;

/** The SQL that brings a database up to date. Throws when the database is newer than this program. */
export function pendingStatements(migrations: MigrationSql, applied: number): readonly string[] {
  if (applied > migrations.length) {
    throw new Error(
      `the database was migrated by a newer Keyfold (schema ${applied}, this one knows ${migrations.length})`,
    );
  }
  const pending = migrations.slice(applied);
  if (pending.length === 0) return [];
  return [
    ...pending.flat(),
    `delete from facts where name = '${SCHEMA_FACT}'`,
    `insert into facts (name, value) values ('${SCHEMA_FACT}', '${migrations.length}')`,
  ];
}
