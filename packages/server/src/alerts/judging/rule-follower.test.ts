import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DATABASE_KINDS } from '../../../test/databases.ts';
import { ManualClock } from '../../../test/manual-clock.ts';
import { AuditLog } from '../../audit/audit-log.ts';
import { RecordSource } from '../../audit/reading/record-source.ts';
import { FiringStore } from '../firing-store.ts';
import { RuleFollower } from './rule-follower.ts';

const SECOND_MS = 1_000;

for (const kind of DATABASE_KINDS) {
  describe(`following the audit log for rules on ${kind.name}`, () => {
    test('gives each record once and in order, over restarts, and none while nobody looks for anything', async (context) => {
      const clock = new ManualClock();
      const place = await kind.create();
      const database = await place.open({ nowMs: () => clock.nowMs() });
      context.after(async () => {
        await database.close();
        await place.remove();
      });
      const audit = new AuditLog(database, clock);
      const firings = new FiringStore(database);
      const seen: string[] = [];
      let reads = 0;
      const observer = {
        refresh: () => Promise.resolve(),
        isIdle: true,
        isFull: false,
        historyMs: 60_000,
        sinceMs: 0,
        wants: (record: string) => !record.includes('unwanted'),
        learn: ({ target }: { target: string }) => void seen.push(`learned ${target}`),
        observe: ({ target }: { target: string }) => void seen.push(target),
        settle: () => Promise.resolve(false),
      };
      const reader = {
        dialect: database.dialect,
        read: ((build) => {
          reads++;
          return database.read(build);
        }) as typeof database.read,
        close: () => Promise.resolve(),
      };
      const source = new RecordSource(reader);
      const start = () =>
        new RuleFollower({
          reader,
          source,
          observer,
          clock,
          advance: async (positions) => {
            await database.commit({ steps: firings.advanceSteps(positions) });
          },
          onUnreadable: assert.fail,
        });
      const catchUp = async (follower: RuleFollower) => {
        do follower.see(await source.edges());
        while (await follower.turn());
      };
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
      await happen('old', 'unseen');
      const edges = await source.edges();
      reads = 0;
      for (let turn = 0; turn < 3; turn++) {
        first.see(edges);
        clock.advance(SECOND_MS);
        await first.turn();
      }
      assert.equal(reads, 0, 'nothing is read where there are no rules');
      observer.isIdle = false;
      await happen('a', 'unwanted', 'b');
      await catchUp(first);
      clock.advance(SECOND_MS);
      await catchUp(first);
      assert.deepEqual(seen, ['a', 'b']);
      await happen('c');
      const second = start();
      await catchUp(second);
      assert.deepEqual(seen, ['learned old', 'learned unseen', 'learned a', 'learned b', 'c']);
      await second.finish();
      await happen('d');
      const third = start();
      await catchUp(third);
      assert.deepEqual(seen.slice(-2), ['learned c', 'd']);
      clock.advance(60_001);
      await happen(...Array.from({ length: 1_200 }, (_none, index) => `many ${index}`));
      await catchUp(third);
      assert.equal(seen.length, 1_200);
      assert.equal(seen.at(-1), 'many 1199');
    });

    test('gives again what could not be observed, and advances no further than what is settled', async (context) => {
      const clock = new ManualClock();
      const place = await kind.create();
      const database = await place.open({ nowMs: () => clock.nowMs() });
      context.after(async () => {
        await database.close();
        await place.remove();
      });
      const audit = new AuditLog(database, clock);
      const source = new RecordSource({
        dialect: database.dialect,
        read: database.read.bind(database),
        close: () => Promise.resolve(),
      });
      const seen: string[] = [];
      const advanced: number[] = [];
      let refusals = 2;
      let isDiskFull = true;
      const follower = new RuleFollower({
        reader: database,
        source,
        clock,
        observer: {
          refresh: () => Promise.resolve(),
          isIdle: false,
          isFull: false,
          historyMs: 0,
          sinceMs: clock.nowMs() + 1,
          wants: () => true,
          learn: () => assert.fail('nothing was judged before'),
          observe: async ({ target }) => {
            if (target === 'b' && refusals-- > 0) throw new Error('storage is away');
            seen.push(target);
          },
          settle: () => (isDiskFull ? Promise.reject(new Error('disk full')) : Promise.resolve(true)),
        },
        advance: async (positions) => void advanced.push(...positions.values()),
        onUnreadable: assert.fail,
      });
      const event = { action: 'key.created', actor: 'key_1', decision: 'allowed' } as const;
      await audit.record({ ...event, target: 'before any rule' });
      clock.advance(1);
      const [{ last } = { last: 0 }] = await source.edges();
      isDiskFull = false;
      await follower.turn();
      // The oldest rule is of that millisecond: what came before it is not given.
      await Promise.all(['a', 'b', 'c'].map((target) => audit.record({ ...event, target })));
      follower.see(await source.edges());
      await assert.rejects(follower.turn(), /storage is away/);
      await assert.rejects(follower.turn(), /storage is away/);
      assert.deepEqual(advanced, [last + 1]);
      isDiskFull = true;
      await assert.rejects(follower.turn(), /disk full/);
      isDiskFull = false;
      await follower.turn();
      isDiskFull = true;
      await assert.rejects(follower.turn(), /disk full/);
      assert.deepEqual(advanced, [last + 1, last + 3]);
      assert.deepEqual(seen, ['a', 'b', 'c']);
    });
  });
}
