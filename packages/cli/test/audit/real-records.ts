/** Test support: records that a real Keyfold has written, of many kinds, read from its database as they are stored. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { DATABASE_KINDS } from '../../../server/test/databases.ts';
import { startTestKeyfold } from '../../../server/test/keyfold.ts';
import { chat, createKey, textAt } from '../../../server/test/control/support.ts';

const ROUNDS = 12;

/** In the order of the chain; names of every alphabet and what looks like other formats are among them. */
export async function makeRealRecords(): Promise<string[]> {
  const [sqlite] = DATABASE_KINDS;
  if (sqlite === undefined) throw new Error('there is no kind of database');
  await using keyfold = await startTestKeyfold(sqlite);
  for (let round = 0; round < ROUNDS; round++) {
    const name = `проект ${round} "]} =cmd|' 📦\\`;
    await keyfold.request('POST', '/v1/projects', { name });
    const key = await createKey(keyfold, { name, budgets: { per_day_usd: '1' } });
    await chat(keyfold, textAt(key, 'api_key'));
    await keyfold.request('GET', `/v1/keys/key_none${round}`);
    await keyfold.request('DELETE', `/v1/keys/${textAt(key, 'id')}`);
  }
  const db = new DatabaseSync(join(keyfold.dataDir, 'data', 'keyfold.db'), { readOnly: true });
  try {
    const rows = db.prepare('select record from audit_records order by sequence').all();
    return rows.map(({ record }) => String(record));
  } finally {
    db.close();
  }
}
