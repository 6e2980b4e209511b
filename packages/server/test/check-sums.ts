/** Holds the sums of usage against the calls that they are of: they are derived, so the calls are right. */
import assert from 'node:assert/strict';
import { sql } from 'kysely';
import type { Database } from '../src/storage/database.ts';
import { SUM_COLUMNS } from '../src/storage/statement.ts';

const TABLES = { usage_hours: 3_600_000, usage_days: 86_400_000 } as const;

/** Fails unless every row of sums is exactly what its calls add up to, and none is missing. For a database that never pruned. */
export async function assertSumsAreThoseOfTheCalls(database: Database): Promise<void> {
  await database.barrier();
  for (const [table, unitMs] of Object.entries(TABLES)) {
    const kept = await readSums(database, { table, start: 'start', calls: 'calls' });
    const counted = await readSums(database, {
      table: 'calls',
      start: `reserved_at / ${unitMs}`,
      calls: 'case when attempt = 1 then 1 else 0 end',
    });
    assert.deepEqual(kept, counted, table);
  }
}

async function readSums(
  database: Database,
  of: { readonly table: string; readonly start: string; readonly calls: string },
): Promise<ReadonlyMap<string, readonly bigint[]>> {
  const sums = SUM_COLUMNS.map(
    (column) =>
      sql`coalesce(sum(${column === 'calls' ? sql.raw(of.calls) : sql.ref(column)}), 0) as ${sql.ref(column)}`,
  );
  const rows = await database.read((db) =>
    db
      .selectFrom(
        sql<
          Record<string, bigint>
        >`(select ${sql.raw(of.start)} as start, source, ${sql.join(sums)} from ${sql.table(of.table)}
          group by 1, 2)`.as('sums'),
      )
      .selectAll()
      .orderBy('start')
      .orderBy('source'),
  );
  return new Map(
    rows.map((row) => [`${row['start']} ${row['source']}`, SUM_COLUMNS.map((column) => row[column] ?? 0n)]),
  );
}
