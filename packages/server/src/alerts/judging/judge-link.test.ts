import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { nanos } from '@keyfold/protocol';
import { type AlertHouse, DOLLAR, found, openAlertHouse } from '../../../test/alerts/alert-house.ts';
import { DATABASE_KINDS } from '../../../test/databases.ts';
import { ManualClock } from '../../../test/manual-clock.ts';
import type { Finding } from '../rule.ts';
import { serveJudge } from './judge-desk.ts';
import { JudgeLink } from './judge-link.ts';

const THRESHOLD = { kind: 'spend_threshold', usd: nanos(DOLLAR), windowS: 60 } as const;

for (const kind of DATABASE_KINDS) {
  describe(`between who judges and the event loop, on ${kind.name}`, () => {
    const open = async (
      run: (house: AlertHouse, fire: (finding: Finding) => Promise<void>) => Promise<void>,
    ) => {
      const clock = new ManualClock();
      const place = await kind.create();
      const database = await place.open({ nowMs: () => clock.nowMs() });
      await found(database);
      try {
        await run(openAlertHouse(database, clock), () => Promise.reject(new Error('disk full')));
      } finally {
        await database.close();
        await place.remove();
      }
    };

    test('rules are told once, are stale as soon as one is made here, and are told to a new port again', () =>
      open(async (house, fire) => {
        const connect = () => {
          const { port1, port2 } = new MessageChannel();
          serveJudge(port1, { ...house, fire, onEdited: assert.fail });
          return { link: new JudgeLink(port2), desk: port1 };
        };
        const first = connect();
        assert.ok(first.link.isStale);
        assert.deepEqual(await first.link.rules(false), []);
        assert.ok(!first.link.isStale);
        assert.equal(await first.link.rules(false), undefined);
        const rule = await house.newRule(THRESHOLD);
        // What was said before an answer has come before it.
        await first.link.remember([]);
        assert.ok(first.link.isStale);
        assert.deepEqual(await first.link.rules(false), [rule]);
        assert.equal(await first.link.rules(true), undefined);
        // As when the thread has died.
        const closed = once(first.desk, 'close');
        first.link.close();
        await closed;
        const second = connect();
        assert.deepEqual(await second.link.rules(false), [rule]);
        second.link.close();
      }));

    test('what could not be written is said, and what could is durable', () =>
      open(async (house, fire) => {
        const { port1, port2 } = new MessageChannel();
        serveJudge(port1, { ...house, fire, onEdited: assert.fail });
        const link = new JudgeLink(port2);
        const rule = await house.newRule(THRESHOLD);
        const finding = {
          rule,
          subject: 'key_1',
          atMs: 1,
          measured: {},
          requestIds: [],
          sighting: undefined,
        };
        await assert.rejects(link.fire(finding), /disk full/);
        await link.advance(new Map([[1, 7]]));
        await link.advance(new Map([[1, 5]]));
        const positions = await house.database.read((db) => db.selectFrom('alert_positions').selectAll());
        assert.deepEqual(
          positions.map(({ node, sequence }) => [Number(node), Number(sequence)]),
          [[1, 7]],
        );
        link.close();
      }));
  });
}
