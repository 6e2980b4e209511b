import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { DATABASE_KINDS, type DatabasePlace } from '../../test/databases.ts';
import { Fault } from '../kernel/fault.ts';
import { EMPTY_CHAIN, headText, nextHead } from './audit-chain.ts';
import type { Database } from './database.ts';
import type { SqlStep } from './statement.ts';

for (const kind of DATABASE_KINDS) {
  describe(`database on ${kind.name}`, () => {
    let place: DatabasePlace;
    let database: Database;
    let setFact: (values: { name: string; value: string }) => SqlStep;
    let changeFact: (values: { name: string; from: string; to: string }) => SqlStep;

    before(async () => {
      place = await kind.create();
      database = await place.open();
      setFact = database.prepare<{ name: string; value: string }>((db, param) =>
        db.insertInto('facts').values({ name: param('name'), value: param('value') }),
      );
      changeFact = database.prepare<{ name: string; from: string; to: string }>(
        (db, param) =>
          db
            .updateTable('facts')
            .set({ value: param('to') })
            .where('name', '=', param('name'))
            .where('value', '=', param('from')),
        'changes-row',
      );
    });
    after(async () => {
      await database.close();
      await place.remove();
    });

    const factOf = async (name: string) => {
      const rows = await database.read((db) =>
        db.selectFrom('facts').select('value').where('name', '=', name),
      );
      return rows[0]?.value;
    };
    const records = () =>
      database.read((db) =>
        db
          .selectFrom('audit_records')
          .selectAll()
          .where('node', '=', BigInt(database.node))
          .orderBy('sequence'),
      );

    test('a unit whose guard fails leaves nothing', async () => {
      await database.commit({ steps: [setFact({ name: 'guarded', value: '1' })] });
      const outcome = await database.commit({
        steps: [
          { append: '"action":"must not stay"}' },
          setFact({ name: 'undone', value: '1' }),
          changeFact({ name: 'guarded', from: 'other', to: '2' }),
        ],
      });
      assert.deepEqual(outcome, { committed: false, refusedStep: 2 });
      assert.equal(await factOf('undone'), undefined);
      assert.equal(await factOf('guarded'), '1');
      assert.deepEqual(await records(), []);
    });

    test('of units that claim a value at once exactly one takes effect, and a unit that is refused claims nothing', async () => {
      const claim = (value: string) => ({ claim: value.padEnd(16, 'A') });
      const outcomes = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          database.commit({
            steps: [claim('once'), setFact({ name: `claimed-${index}`, value: '1' })],
          }),
        ),
      );
      assert.equal(outcomes.filter(({ committed }) => committed).length, 1);
      assert.deepEqual(outcomes[49], { committed: false, refusedStep: 0 });
      const refused = await database.commit({
        steps: [
          claim('taken-back'),
          setFact({ name: 'never', value: '1' }),
          changeFact({ name: 'never', from: 'x', to: 'y' }),
        ],
      });
      assert.deepEqual(refused, { committed: false, refusedStep: 2 });
      const [first, second] = await Promise.all([
        database.commit({ steps: [claim('taken-back')] }),
        database.commit({ steps: [claim('taken-back')] }),
      ]);
      assert.deepEqual([first?.committed, second?.committed], [true, false]);
    });

    test('what was claimed stays claimed when the database is opened again', async () => {
      const elsewhere = await kind.create();
      const claim = { claim: 'survives-a-start' };
      const before = await elsewhere.open();
      assert.equal((await before.commit({ steps: [claim] })).committed, true);
      await before.close();
      const after = await elsewhere.open();
      assert.deepEqual(await after.commit({ steps: [claim] }), { committed: false, refusedStep: 0 });
      await after.close();
      await elsewhere.remove();
    });

    test('a broken unit fails alone: those that share its commit take effect', async () => {
      const [good, broken, alsoGood] = await Promise.allSettled([
        database.commit({ steps: [setFact({ name: 'neighbour-1', value: 'x' })] }),
        database.commit({ steps: [setFact({ name: 'guarded', value: 'duplicate name' })] }),
        database.commit({ steps: [setFact({ name: 'neighbour-2', value: 'x' })] }),
      ]);
      assert.equal(good?.status, 'fulfilled');
      assert.equal(alsoGood?.status, 'fulfilled');
      assert.ok(broken?.status === 'rejected' && broken.reason instanceof Fault);
      assert.equal(broken.reason.code, 'unavailable');
      assert.equal(await factOf('neighbour-2'), 'x');
    });

    test('of a thousand concurrent conditional updates exactly those that fit take effect', async () => {
      const balance = { budgetId: 'bud_race', periodStartMs: 0 };
      const outcomes = await Promise.all(
        Array.from({ length: 1_000 }, () =>
          database.commit({ steps: [{ balance, posted: 0n, held: 100n, cap: 5_000n }] }),
        ),
      );
      assert.equal(outcomes.filter((outcome) => outcome.committed).length, 50);
    });

    test('a unit that would make a balance overflow fails alone', async () => {
      const balance = { budgetId: 'bud_full', periodStartMs: 0 };
      const add = { balance, posted: 5_000_000_000_000_000_000n, held: 0n };
      const results = await Promise.allSettled([
        database.commit({ steps: [add] }),
        database.commit({ steps: [add] }),
        database.commit({ steps: [{ ...add, posted: 1n }] }),
      ]);
      assert.deepEqual(
        results.map(({ status }) => status),
        ['fulfilled', 'rejected', 'fulfilled'],
      );
    });

    test('balances of a unit that is refused later on, or breaks, are as they were before it', async () => {
      const balance = { budgetId: 'bud_undo', periodStartMs: 7 };
      const add = { balance, posted: 1n, held: 10n };
      const results = await Promise.allSettled([
        database.commit({ steps: [add] }),
        database.commit({ steps: [add, { ...add, cap: 5n }] }),
        database.commit({ steps: [add, setFact({ name: 'guarded', value: 'duplicate name' })] }),
        database.commit({
          steps: [add, { append: '"x":1}' }, changeFact({ name: 'guarded', from: 'no', to: '1' })],
        }),
        database.commit({ steps: [{ balance, posted: 0n, held: -100n }] }),
        database.commit({ steps: [add] }),
      ]);
      assert.deepEqual(
        results.map((result) => (result.status === 'fulfilled' ? result.value.committed : 'broken')),
        [true, false, 'broken', false, 'broken', true],
      );
      const rows = await database.read((db) =>
        db.selectFrom('balances').selectAll().where('budget_id', '=', 'bud_undo'),
      );
      assert.deepEqual(
        rows.map((row) => ({ ...row })),
        [{ budget_id: 'bud_undo', period_start: 7n, posted_nanos: 2n, held_nanos: 20n }],
      );
    });

    test('records are chained in commit order, without a gap, whatever was undone between them', async () => {
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          database.commit({
            steps: [
              { append: `"n":${index}}` },
              changeFact({ name: 'guarded', from: index % 2 ? 'no' : '1', to: '1' }),
            ],
          }),
        ),
      );
      const chained = await records();
      assert.equal(chained.length, 10);
      let head = EMPTY_CHAIN.head;
      for (const [index, row] of chained.entries()) {
        assert.equal(row.sequence, BigInt(index + 1));
        head = nextHead(head, row.record);
        assert.equal(headText(row.head), head);
      }
    });

    test('a lazy unit is durable once the barrier is passed', async () => {
      const lazy = database.commit({ steps: [setFact({ name: 'lazy', value: '1' })] }, 'soon');
      await database.barrier();
      assert.equal(await factOf('lazy'), '1');
      assert.deepEqual(await lazy, { committed: true });
    });

    test('integers beyond 2^53 come back to the unit', async () => {
      const row = {
        budget_id: 'bud_big',
        period_start: 1,
        posted_nanos: 9_007_199_254_740_993n,
        held_nanos: 0n,
      };
      await database.commit({ steps: [database.step((db) => db.insertInto('balances').values(row))] });
      const rows = await database.read((db) =>
        db.selectFrom('balances').select('posted_nanos').where('budget_id', '=', 'bud_big'),
      );
      assert.equal(rows[0]?.posted_nanos, 9_007_199_254_740_993n);
    });

    test('the chain and the data continue after the database was closed and opened again', async () => {
      const last = (await records()).at(-1);
      await database.close();
      database = await place.open();
      await database.commit({ steps: [{ append: '"n":"after"}' }] });
      const next = (await records()).at(-1);
      assert.equal(next?.sequence, (last?.sequence ?? 0n) + 1n);
      assert.equal(
        headText(next?.head ?? Buffer.alloc(0)),
        nextHead(headText(last?.head ?? Buffer.alloc(0)), next?.record ?? ''),
      );
    });

    test('a closed database refuses work with a fault', async () => {
      const other = await kind.create();
      const closed = await other.open();
      await closed.close();
      await assert.rejects(closed.commit({ steps: [] }), Fault);
      await other.remove();
    });
  });
}

describe('database on sqlite, alone', () => {
  test('a second process on the same directory is refused, and the first goes on', async () => {
    const place = await (DATABASE_KINDS[0] ?? assert.fail()).create();
    const first = await place.open();
    await assert.rejects(place.open(), /in use by another Keyfold process/);
    await first.probe();
    await first.close();
    const again = await place.open();
    await again.close();
    await place.remove();
  });

  test('a full disk fails the commit as a fault, undoes all of it, and later commits work again', async () => {
    const place = await (DATABASE_KINDS[0] ?? assert.fail()).create();
    await (await place.open()).close();
    const database = await place.open({ pagesMax: 60 });
    const insert = (name: string, bytes: number) =>
      database.commit({
        steps: [
          database.step((db) => db.insertInto('facts').values({ name, value: 'x'.repeat(bytes) })),
          { append: `"name":"${name}"}` },
        ],
      });
    await assert.rejects(insert('too big', 1_000_000), Fault);
    await insert('small', 10);
    const rows = await database.read((db) => db.selectFrom('audit_records').select(['sequence', 'record']));
    assert.deepEqual(
      rows.map((row) => ({ ...row })),
      [{ sequence: 1n, record: '{"sequence":1,"node":1,"name":"small"}' }],
    );
    await database.close();
    await place.remove();
  });
});
