/**
 * Who archives: one process at a time, named by its boot in one row that is always there. Each commit of the archiver is
 * guarded by that row; setting a hold wipes it out, and so waits for a running commit and stops the next.
 */
import type { Database } from '../../storage/database.ts';
import type { SqlStep } from '../../storage/statement.ts';

const FACT = 'audit_archiver';
const NOBODY = '';

/** Whether this process is the archiver now. It is not where another one lives that is. */
export async function takeLease(database: Database): Promise<boolean> {
  const [row] = await database.read((db) => db.selectFrom('facts').select('value').where('name', '=', FACT));
  const holder = row?.value ?? NOBODY;
  if (holder === database.boot) return true;
  if (holder !== NOBODY && (await database.livingBoots()).has(holder)) return false;
  const { committed } = await database.commit({
    steps: [
      database.step(
        (db) =>
          db
            .updateTable('facts')
            .set({ value: database.boot })
            .where('name', '=', FACT)
            .where('value', '=', holder),
        'changes-row',
      ),
    ],
  });
  return committed;
}

export async function isArchiver(database: Database): Promise<boolean> {
  const [row] = await database.read((db) => db.selectFrom('facts').select('value').where('name', '=', FACT));
  return row?.value === database.boot;
}

export async function releaseLease(database: Database): Promise<void> {
  await database.commit({
    steps: [
      database.step((db) =>
        db
          .updateTable('facts')
          .set({ value: NOBODY })
          .where('name', '=', FACT)
          .where('value', '=', database.boot),
      ),
    ],
  });
}

/** Refuses its unit unless this process is the archiver; until the commit nobody else becomes it. */
export function holdLeaseStep(database: Database): SqlStep {
  return database.step(
    (db) =>
      db
        .updateTable('facts')
        .set({ value: database.boot })
        .where('name', '=', FACT)
        .where('value', '=', database.boot),
    'changes-row',
  );
}

/** Nobody is the archiver any more once this is committed. */
export function evictArchiverStep(database: Database): SqlStep {
  return database.step((db) => db.updateTable('facts').set({ value: NOBODY }).where('name', '=', FACT));
}
