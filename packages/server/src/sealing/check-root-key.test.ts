import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DATABASE_KINDS } from '../../test/databases.ts';
import { checkRootKey } from './check-root-key.ts';
import { RootKey } from './root-key.ts';

const [mine, other] = [new RootKey(Buffer.alloc(32, 1)), new RootKey(Buffer.alloc(32, 2))];

for (const kind of DATABASE_KINDS) {
  describe(`root key check on ${kind.name}`, () => {
    test('of two root keys that meet an empty database at once, one is remembered and the other refused', async (context) => {
      const place = await kind.create();
      const first = await place.open();
      const second = kind.name === 'postgres' ? await place.open() : first;
      context.after(async () => {
        await first.close();
        if (second !== first) await second.close();
        await place.remove();
      });
      const checks = await Promise.allSettled([checkRootKey(first, mine), checkRootKey(second, other)]);
      const refused = checks.filter((check) => check.status === 'rejected');
      assert.equal(refused.length, 1);
      assert.match(String(refused[0]?.reason), /not the one that this database was made with/);
      const [winner, loser] = checks[0].status === 'fulfilled' ? [mine, other] : [other, mine];
      await checkRootKey(second, winner);
      await assert.rejects(checkRootKey(first, loser), /restore the right root.key/);
    });
  });
}
