import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { DATABASE_KINDS, type DatabasePlace } from '../../test/databases.ts';
import { endSession, until } from '../../test/postgres-sessions.ts';
import { headText } from './audit-chain.ts';
import { ChainMemory } from './chain-memory.ts';
import { MILESTONE_RECORDS } from './chain-tip.ts';
import type { Database } from './database.ts';

const RECORD = { append: '"n":1}' };
const REFUSED = {
  sql: "delete from facts where name = 'nothing'",
  values: [],
  guard: 'changes-row' as const,
};

for (const kind of DATABASE_KINDS) {
  describe(`what a writer tells of its chain, on ${kind.name}`, () => {
    let place: DatabasePlace;
    let database: Database;
    beforeEach(async () => {
      place = await kind.create();
      database = await place.open();
    });
    afterEach(async () => {
      await database.close();
      await place.remove();
    });
    const stored = async () => {
      const rows = await database.read((db) =>
        db.selectFrom('audit_records').select(['sequence', 'head']).orderBy('sequence'),
      );
      return new Map(rows.map(({ sequence, head }) => [Number(sequence), headText(head)]));
    };

    test('is what it has made durable, and nothing that was undone', async () => {
      assert.equal(database.chain.newest.sequence, 0);
      await Promise.all([
        database.commit({ steps: [RECORD, RECORD] }),
        database.commit({ steps: [RECORD, REFUSED] }),
        database.commit({ steps: [RECORD, { sql: 'select broken', values: [] }] }).catch(() => undefined),
        database.commit({ steps: [RECORD] }),
      ]);
      const { node, sequence, head } = database.chain.newest;
      assert.deepEqual([node, sequence], [1, 3]);
      assert.equal(head, (await stored()).get(3));
    });

    test('has each milestone once, also where one commit crosses several, and none that was undone', async () => {
      const many = Array.from({ length: MILESTONE_RECORDS - 1 }, () => RECORD);
      await database.commit({ steps: many });
      assert.deepEqual(database.chain.takeMilestones(), []);
      await database.commit({ steps: [RECORD, RECORD, REFUSED] });
      assert.deepEqual(database.chain.takeMilestones(), []);
      await database.commit({ steps: [RECORD, ...many, RECORD, RECORD] });
      const taken = database.chain.takeMilestones();
      const heads = await stored();
      assert.deepEqual(
        taken.map(({ sequence, head }) => [sequence, head]),
        [1_000, 2_000].map((sequence) => [sequence, heads.get(sequence)]),
      );
      assert.deepEqual(database.chain.takeMilestones(), []);
      assert.equal(database.chain.newest.sequence, 2_001);
    });

    test('begins at what the database has, and says so', async () => {
      await database.commit({ steps: [RECORD, RECORD] });
      const { newest } = database.chain;
      await database.close();
      database = await place.open();
      assert.deepEqual(database.chain.newest, newest);
      assert.deepEqual(database.chain.opening, { number: 1, point: newest, before: [] });
    });

    if (kind.name === 'postgres') {
      test('a session that comes back says what the one before it had', async () => {
        await database.commit({ steps: [RECORD] });
        const { newest } = database.chain;
        await endSession(place.location, 1);
        await until(async () => (database.chain.opening.number === 2 ? true : undefined));
        assert.deepEqual(database.chain.opening.before, [{ ...newest, isConfirmed: false }]);
      });
    }
  });
}

describe('what a writer was lost with', () => {
  const at = (sequence: number, node = 1) => ({ node, sequence, head: `${sequence}` });

  test('is kept until what came after it was checked, however many writers are lost meanwhile', () => {
    const chain = new ChainMemory(at(10));
    chain.confirm(1);
    chain.advance(1, { ...at(20), milestones: [] });
    for (const sequence of [15, 16, 17]) chain.open(at(sequence));
    chain.confirm(3);
    assert.deepEqual(
      [chain.isConfirmed, chain.opening.before],
      [
        false,
        [
          { ...at(20), isConfirmed: true },
          { ...at(16), isConfirmed: false },
        ],
      ],
    );
    chain.confirm(4);
    assert.deepEqual([chain.isConfirmed, chain.opening.before], [true, []]);
  });

  test('is kept of each node that it was', () => {
    const chain = new ChainMemory(at(10));
    chain.open(at(5, 2));
    chain.open(at(7, 3));
    assert.deepEqual(
      chain.opening.before.map(({ node, sequence }) => [node, sequence]),
      [
        [1, 10],
        [2, 5],
      ],
    );
  });
});
