/**
 * Removes calls that are older than they must be kept, a few at a time. Their sums stay, and so does the audit log. What was
 * removed is remembered, so that no report takes it for nothing.
 */
import { sql } from 'kysely';
import type { Database } from '../storage/database.ts';
import type { SqlStep } from '../storage/statement.ts';
import { firstPackedAt, packedSql } from './packed-id.ts';

/** Milliseconds since 1970: calls that were reserved before may be gone. */
const PRUNED_FACT = 'calls_pruned_before';

/** Removes at most `rowsMax` calls that were reserved before a time, the oldest first. Returns whether there are more. */
export async function pruneCalls(
  database: Database,
  of: { readonly beforeMs: number; readonly rowsMax: number },
): Promise<boolean> {
  const packed = packedSql(database.dialect);
  const end = firstPackedAt(of.beforeMs);
  const old = await database.read(
    (db) =>
      db
        .selectFrom('calls')
        .select(packed.read('id').as('packed_id'))
        .where(sql<boolean>`id < ${packed.write(end)}`)
        .orderBy('id')
        .limit(of.rowsMax + 1),
    'report',
  );
  if (old.length === 0) return false;
  const next = old[of.rowsMax]?.packed_id;
  await database.commit(
    {
      steps: [
        rememberStep(database, of.beforeMs),
        removeStep(database, { before: next ?? end, rows: of.rowsMax }),
      ],
    },
    'soon',
  );
  return next !== undefined;
}

/** Parts of hours before it cannot be reported any more. 0 when nothing was ever removed. */
export async function readPrunedBefore(database: Database): Promise<number> {
  const rows = await database.read((db) =>
    db.selectFrom('facts').select('value').where('name', '=', PRUNED_FACT),
  );
  return Number(rows[0]?.value ?? 0);
}

/** Of several processes with different settings the one that keeps least says what is gone. */
function rememberStep(database: Database, beforeMs: number): SqlStep {
  return database.step((db) =>
    db
      .insertInto('facts')
      .values({ name: PRUNED_FACT, value: String(beforeMs) })
      .onConflict((conflict) =>
        conflict
          .column('name')
          .doUpdateSet({ value: sql`excluded.value` })
          .where(sql<boolean>`cast(facts.value as bigint) < cast(excluded.value as bigint)`),
      ),
  );
}

/**
 * Where several processes remove at once, each takes what no other is at: none waits. That the rows are few is said twice,
 * since PostgreSQL would otherwise expect many and read the whole table.
 */
function removeStep(database: Database, of: { readonly before: string; readonly rows: number }): SqlStep {
  const isOld = sql<boolean>`id < ${packedSql(database.dialect).write(of.before)}`;
  return database.step((db) => {
    if (database.dialect === 'sqlite') return db.deleteFrom('calls').where(isOld);
    const free = db.selectFrom('calls').select('id').where(isOld).orderBy('id').limit(of.rows);
    return db.deleteFrom('calls').where('id', 'in', free.forUpdate().skipLocked());
  });
}
