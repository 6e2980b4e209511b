/** Opens the `DatabaseReader` of either database; each driver is loaded where it is used. */
import type { DatabasePlace, DatabaseReader } from './reader.ts';

/** Opens a database that is there already and migrated. */
export async function openReader(place: DatabasePlace): Promise<DatabaseReader> {
  if (place.dialect === 'sqlite') {
    const { SqliteReader } = await import('./sqlite/sqlite-reader.ts');
    return new SqliteReader(place.directory);
  }
  const { PostgresReader } = await import('./postgres/postgres-reader.ts');
  return new PostgresReader(place.url);
}
