/** Holds the root key against the database: with the wrong one nothing is opened, and nothing is changed. */
import type { Database } from '../storage/database.ts';
import type { RootKey } from './root-key.ts';

const FACT = 'root_key_id';

/** Remembers the root key's id in a fresh database. Throws when the database was made with another. */
export async function checkRootKey(database: Database, rootKey: RootKey): Promise<void> {
  const rows = await database.read((db) => db.selectFrom('facts').select('value').where('name', '=', FACT));
  const known = rows[0]?.value;
  if (known === rootKey.id) return;
  if (known !== undefined) {
    throw new Error(
      'the root key is not the one that this database was made with: restore the right root.key',
    );
  }
  await database.commit({
    steps: [
      database.step((db) =>
        db
          .insertInto('facts')
          .values({ name: FACT, value: rootKey.id })
          .onConflict((conflict) => conflict.doNothing()),
      ),
    ],
  });
}
