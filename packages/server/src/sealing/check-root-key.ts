/** Holds the root key against the database: with the wrong one nothing is opened, and nothing is changed. */
import type { Database } from '../storage/database.ts';
import type { RootKey } from './root-key.ts';

const FACT = 'root_key_id';

/** Remembers the root key's id in a fresh database. Throws when the database was made with another. */
export async function checkRootKey(database: Database, rootKey: RootKey): Promise<void> {
  // Another process may remember its own between a look and a write: whoever comes first decides for both.
  const known =
    (await readKnown(database)) ?? (await remember(database, rootKey)) ?? (await readKnown(database));
  if (known === rootKey.id) return;
  throw new Error('the root key is not the one that this database was made with: restore the right root.key');
}

async function readKnown(database: Database): Promise<string | undefined> {
  const rows = await database.read((db) => db.selectFrom('facts').select('value').where('name', '=', FACT));
  return rows[0]?.value;
}

/** The id that was remembered; `undefined` when there is one already. */
async function remember(database: Database, { id }: RootKey): Promise<string | undefined> {
  const step = database.step(
    (db) =>
      db
        .insertInto('facts')
        .values({ name: FACT, value: id })
        .onConflict((conflict) => conflict.doNothing()),
    'changes-row',
  );
  const { committed } = await database.commit({ steps: [step] });
  return committed ? id : undefined;
}
