/** Opens the `SearchIndex` of either database; each driver is loaded where it is used. */
import type { DatabasePlace } from './reader.ts';
import type { SearchIndex } from './search-index.ts';

export async function openSearchIndex(place: DatabasePlace): Promise<SearchIndex> {
  if (place.dialect === 'sqlite') {
    const { SqliteSearchIndex } = await import('./sqlite/sqlite-search-index.ts');
    return new SqliteSearchIndex(place.directory);
  }
  const { PostgresSearchIndex } = await import('./postgres/postgres-search-index.ts');
  return new PostgresSearchIndex(place.url);
}
