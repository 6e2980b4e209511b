import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DATABASE_KINDS } from '../../test/databases.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { FiringStore } from '../alerts/firing-store.ts';
import { AuditLog } from '../audit/audit-log.ts';
import { AuditFollower } from './follow-audit.ts';

for (const kind of DATABASE_KINDS) {
  describe(`following the audit log on ${kind.name}`, () => {
    test('gives each record once and in order, over restarts, and none while nobody looks for anything', async (context) => {
      const clock = new ManualClock();
      const place = await kind.create();
      const database = await place.open({ nowMs: () => clock.nowMs() });
      context.after(async () => {
        await database.close();
        await place.remove();
      });
      const audit = new AuditLog(database, clock);
      const seen: string[] = [];
      let isIdle = true;
      const observer = {
        isIdle: () => Promise.resolve(isIdle),
        historyMs: () => Promise.resolve(60_000),
        learn: ({ target }: { target: string }) => Promise.resolve(void seen.push(`learned ${target}`)),
        observe: ({ target }: { target: string }) => Promise.resolve(void seen.push(target)),
        settle: () => Promise.resolve(),
      };
      const start = () =>
        new AuditFollower({
          database,
          clock,
          observer,
          firings: new FiringStore(database),
          onUnreadable: assert.fail,
        });
      const happen = async (...targets: readonly string[]) => {
        // Records of one process keep their order, also in one commit.
        await Promise.all(
          targets.map((target) =>
            audit.record({ action: 'key.created', actor: 'key_1', target, decision: 'allowed' }),
          ),
        );
        seen.length = 0;
      };
      const first = start();
      await happen('old');
      await first.turn();
      assert.deepEqual(seen, ['learned old']);
      await happen('unseen');
      await first.turn();
      assert.deepEqual(seen, []);
      isIdle = false;
      await happen('a', 'b');
      await first.turn();
      await first.turn();
      assert.deepEqual(seen, ['a', 'b']);
      await happen('c');
      const second = start();
      await second.turn();
      assert.deepEqual(seen, ['learned old', 'learned unseen', 'learned a', 'learned b', 'c']);
      clock.advance(60_001);
      await happen(...Array.from({ length: 1_200 }, (_none, index) => `many ${index}`));
      await second.turn();
      assert.equal(seen.length, 1_200);
      assert.equal(seen.at(-1), 'many 1199');
    });
  });
}
