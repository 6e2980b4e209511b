import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { DATABASE_KINDS, type DatabaseKind, type DatabasePlace } from '../../test/databases.ts';
import { Denial } from '../kernel/denial.ts';
import { Fault } from '../kernel/fault.ts';
import { IDEMPOTENCY_LIFE_MS } from './idempotency-key.ts';
import type { NamedCall, ServedCall } from './served-call.ts';
import {
  GRACE_MS,
  type TestProcess,
  addOrganization,
  addTestKey,
  answerOf,
  named,
  openProcess,
} from './test-process.ts';

const [, POSTGRES] = DATABASE_KINDS as readonly [DatabaseKind, DatabaseKind];

for (const kind of DATABASE_KINDS) {
  describe(`calls under an Idempotency-Key on ${kind.name}`, () => {
    let place: DatabasePlace;
    let own: TestProcess;

    beforeEach(async () => {
      place = await kind.create();
      await addOrganization(place);
      own = await openProcess(place);
    });
    afterEach(async () => {
      await own.database.close();
      await place.remove();
    });

    test('an answer is there as soon as its settlement is, and not before', async () => {
      const call = named('a');
      assert.equal(await own.look(call), 'free');
      const served = await own.begin(call);
      assert.equal(await own.look(call), 'free', 'nothing is written before the reservation');
      const reservation = await own.reserve(served);
      assert.equal(await own.look(call), 'idempotency_in_flight');
      assert.ok(!(reservation instanceof Denial));
      await own.resolve(reservation, served.keep(answerOf('the answer')));
      assert.equal(await own.look(call), 'the answer');
      assert.equal(await own.look({ ...call, fingerprint: 'another' }), 'idempotency_mismatch');
      assert.equal(await own.look({ ...call, keyId: 'key_2' }), 'free');
    });

    test('a call is its own between two attempts, in this process', async () => {
      const call = named('b');
      const served = await own.begin(call);
      const first = await own.reserve(served);
      assert.ok(!(first instanceof Denial));
      await own.resolve(first);
      const { found } = await own.calls.find(call);
      assert.ok(!(found instanceof Denial) && found.kind === 'free');
      assert.equal(codeOf(own.calls.begin(call, found.owner)), 'idempotency_in_flight');
      const other = { ...call, fingerprint: 'another' };
      assert.equal(codeOf(own.calls.begin(other, found.owner)), 'idempotency_mismatch');
      const second = await own.reserve(served);
      assert.ok(!(second instanceof Denial));
      await own.resolve(second, served.keep(answerOf('by the second')));
      served.end();
      assert.equal(await own.look(call), 'by the second');
      assert.equal(await own.count(), 1);
    });

    test('of two who found a call free one gets it, also when it must be taken over', async () => {
      for (const isTakenOver of [false, true]) {
        const call = named(`c-${isTakenOver}`);
        if (isTakenOver) {
          const failed = await own.begin(call);
          const reservation = await own.reserve(failed);
          assert.ok(!(reservation instanceof Denial));
          await own.resolve(reservation);
          failed.end();
        }
        const { found } = await own.calls.find(call);
        assert.ok(!(found instanceof Denial) && found.kind === 'free');
        const takers = Array.from({ length: 8 }, (): ServedCall => {
          const served = own.calls.begin(call, found.owner);
          assert.ok(!(served instanceof Denial));
          // As in another process, which does not know of this one.
          served.end();
          return served;
        });
        const reserved = await Promise.all(takers.map((served) => own.reserve(served)));
        const codes = reserved.map((each) => (each instanceof Denial ? each.code : 'taken'));
        assert.deepEqual(
          [codes.filter((code) => code === 'taken').length, new Set(codes).size],
          [1, 2],
          codes.join(),
        );
        assert.ok(codes.every((code) => code === 'taken' || code === 'idempotency_in_flight'));
      }
    });

    test('whoever lost a call can write no answer over that of its taker', async () => {
      const call = named('d');
      const slow = await own.begin(call);
      const lost = await own.reserve(slow);
      assert.ok(!(lost instanceof Denial));
      // As recovery does with what a process has left that counts as dead.
      assert.equal(await own.ledger.expire(lost), true);
      slow.end();
      await own.serve(call, 'of the taker');
      assert.equal(await own.resolve(lost, slow.keep(answerOf('too late'))), false);
      assert.equal(await own.look(call), 'of the taker');
    });

    test('what a dead process was serving is free once its reservations are recovered', async () => {
      const call = named('e');
      const dead = await openProcess(place).catch(() => undefined);
      const process = dead ?? own;
      await process.reserve(await process.begin(call));
      await process.database.close();
      if (dead === undefined) own = await openProcess(place);
      assert.equal(await own.look(call), 'idempotency_in_flight');
      await own.recovery.recover();
      own.clock.advance(GRACE_MS);
      await own.recovery.recover();
      await own.serve(call, 'at last');
      assert.equal(await own.look(call), 'at last');
    });

    test('an answer goes with a settlement that waits for storage; the call is under way until then', async () => {
      const call = named('f');
      const served = await own.begin(call);
      const reservation = await own.reserve(served);
      assert.ok(!(reservation instanceof Denial));
      own.breakCommits(true);
      await assert.rejects(own.resolve(reservation, served.keep(answerOf('later'))), Fault);
      served.end();
      assert.equal(await own.look(call), 'idempotency_in_flight');
      own.breakCommits(false);
      await own.ledger.retryPostponed();
      assert.equal(await own.look(call), 'later');
    });

    test('of many settlements that wait only some keep their answers; the others refuse a repeat', async () => {
      const pending = await Promise.all(
        Array.from({ length: 70 }, async (_, index) => {
          const served = await own.begin(named(`g-${index}`));
          return { served, reservation: await own.reserve(served) };
        }),
      );
      own.breakCommits(true);
      for (const { served, reservation } of pending) {
        assert.ok(!(reservation instanceof Denial));
        await assert.rejects(own.resolve(reservation, served.keep(answerOf('kept'))), Fault);
        served.end();
      }
      own.breakCommits(false);
      await own.ledger.retryPostponed();
      const looks = await Promise.all(pending.map((_, index) => own.look(named(`g-${index}`))));
      assert.equal(looks.filter((look) => look === 'kept').length, 64);
      assert.equal(looks.filter((look) => look === 'idempotency_answer_not_kept').length, 6);
    });

    test('of many long answers at once only so many go to the disk; the others refuse a repeat', async () => {
      const long = 'x'.repeat(1_048_576);
      const beginMany = (group: string) =>
        Promise.all(
          Array.from({ length: 20 }, async (_, index) => {
            const call = named(`${group}-${index}`);
            const served = await own.begin(call);
            const reservation = await own.reserve(served);
            assert.ok(!(reservation instanceof Denial));
            return { call, served, reservation };
          }),
        );
      const lookAt = async (many: readonly { readonly call: NamedCall }[]) => {
        const looks = await Promise.all(many.map(({ call }) => own.look(call)));
        const lost = looks.filter((look) => look === 'idempotency_answer_not_kept').length;
        return { lost, kept: looks.filter((look) => look === long).length };
      };
      const resolveAll = (many: Awaited<ReturnType<typeof beginMany>>) =>
        Promise.allSettled(
          many.map(async ({ served, reservation }) => {
            const isFirst = await own.resolve(reservation, served.keep(answerOf(long)));
            assert.ok(isFirst);
          }),
        ).finally(() => many.forEach(({ served }) => served.end()));
      const many = await beginMany('long');
      const resolved = await resolveAll(many);
      assert.ok(resolved.every(({ status }) => status === 'fulfilled'));
      assert.deepEqual(await lookAt(many), { lost: 9, kept: 11 });
      // The room is given back, also by those that fail; what waits is written in turn.
      const waiting = await beginMany('waiting');
      own.breakCommits(true);
      const failed = await resolveAll(waiting);
      assert.ok(failed.every(({ status }) => status === 'rejected'));
      own.breakCommits(false);
      await own.ledger.retryPostponed();
      assert.deepEqual(await lookAt(waiting), { lost: 0, kept: 20 });
    });

    test('a reservation whose commit was in doubt frees its call when the doubt is settled', async () => {
      const call = named('h');
      const served = await own.begin(call);
      own.breakCommits(true);
      await assert.rejects(own.reserve(served), Fault);
      served.end();
      own.breakCommits(false);
      await own.ledger.retryPostponed();
      await own.serve(call, 'after the doubt');
      assert.equal(await own.look(call), 'after the doubt');
    });

    test('is forgotten after 24 hours to the millisecond, and pruned a page at a time', async () => {
      const old = Array.from({ length: 120 }, (_, index) => named(`old-${index}`));
      for (const call of old) await own.serve(call, 'old');
      own.clock.advance(IDEMPOTENCY_LIFE_MS);
      const call = old[0] ?? assert.fail();
      assert.equal(await own.look(call), 'old');
      await own.serve(named('young'), 'young');
      own.clock.advance(1);
      assert.equal(await own.look(call), 'free');
      await own.serve(call, 'anew');
      await own.calls.prune();
      assert.equal(await own.count(), 2);
      assert.equal(await own.look(call), 'anew');
      assert.equal(await own.look(named('young')), 'young');
    });

    test('an answer that was moved, edited or cut off in the database is not given', async () => {
      await own.serve(named('mine'), 'mine');
      await own.serve(named('theirs', { keyId: 'key_2' }), 'a secret of theirs');
      const edit = async (change: (row: { answer: string | null }) => object) => {
        const [row] = await own.database.read((db) =>
          db.selectFrom('idempotent_calls').select('answer').where('key_id', '=', 'key_2'),
        );
        const set = change({ answer: row?.answer ?? null });
        const step = own.database.step((db) =>
          db.updateTable('idempotent_calls').set(set).where('idempotency_key', '=', 'mine'),
        );
        await own.database.commit({ steps: [step] });
      };
      for (const change of [
        ({ answer }: { answer: string | null }) => ({ answer }),
        ({ answer }: { answer: string | null }) => ({ answer: answer?.slice(0, -8) }),
        () => ({ answer: 'nonsense' }),
      ]) {
        await edit(change);
        await assert.rejects(own.look(named('mine')), (error) => {
          assert.ok(error instanceof Fault);
          assert.equal(error.code, 'unavailable');
          return true;
        });
      }
      // The whole row, under another name: its answer is bound to the name that it was made for.
      await own.database.commit({
        steps: [
          own.database.step((db) => db.deleteFrom('idempotent_calls').where('idempotency_key', '=', 'mine')),
          own.database.step((db) =>
            db
              .updateTable('idempotent_calls')
              .set({ key_id: 'key_1', idempotency_key: 'mine' })
              .where('key_id', '=', 'key_2'),
          ),
        ],
      });
      await assert.rejects(own.look(named('mine')), Fault);
    });

    test('what is kept is bounded for each key and for the organization, and room comes back', async () => {
      await own.database.close();
      const mebibyte = 1_048_576;
      own = await openProcess(place, {
        keyBytesMax: 2 * mebibyte,
        organizationBytesMax: 3 * mebibyte,
        testBytesMax: mebibyte,
      });
      const check = async (keyId: string, isTest = false) => {
        const denial = await own.calls.checkRoom(named('any', { keyId, isTest }));
        if (denial === undefined) return 'room';
        assert.equal(denial.detail.retryAfterMs, 3_600_000);
        return [denial.code, denial.detail.facts?.['scope']];
      };
      assert.equal(await check('key_1'), 'room');
      for (const name of ['one', 'two']) await own.serve(named(name), 'x'.repeat(mebibyte));
      assert.deepEqual(await check('key_1'), ['rate_limit_exceeded', 'key']);
      assert.equal(await check('key_2'), 'room');
      await own.serve(named('three', { keyId: 'key_2' }), 'x'.repeat(mebibyte));
      assert.deepEqual(await check('key_3'), ['rate_limit_exceeded', 'organization']);
      // As another process sees it, which has kept none of it itself.
      own.clock.advance(5_000);
      assert.deepEqual(await check('key_3'), ['rate_limit_exceeded', 'organization']);
      assert.equal(await check('key_test', true), 'room', 'test keys have room of their own');
      await own.serve(named('four', { keyId: 'key_test', isTest: true }), 'x'.repeat(mebibyte));
      assert.deepEqual(await check('key_test_2', true), ['rate_limit_exceeded', 'test_keys']);
      own.clock.advance(IDEMPOTENCY_LIFE_MS);
      await own.calls.prune();
      assert.equal(await check('key_1'), 'room');
    });

    test('test keys take no room of the organization, also where it is counted from the database', async () => {
      await own.database.close();
      const bounds = { keyBytesMax: 4_096, organizationBytesMax: 4_096, testBytesMax: 4_096 };
      own = await openProcess(place, bounds);
      await addTestKey(own.database, 'key_test');
      const call = (name: string) => named(name, { keyId: 'key_test', isTest: true });
      await own.serve(call('one'), 'x'.repeat(8_192));
      own.clock.advance(5_000);
      const codes = [call('two'), named('three')].map(async (each) =>
        codeOf(await own.calls.checkRoom(each)),
      );
      assert.deepEqual(await Promise.all(codes), ['rate_limit_exceeded', undefined]);
      // Each call is counted as about what its row takes.
      for (let index = 0; index < 7; index++) await own.serve(named(`row-${index}`), undefined);
      own.clock.advance(5_000);
      assert.equal(codeOf(await own.calls.checkRoom(named('eighth'))), undefined);
      await own.serve(named('eighth'), undefined);
      assert.equal(codeOf(await own.calls.checkRoom(named('ninth'))), 'rate_limit_exceeded');
    });
  });
}

describe('two processes on one PostgreSQL', () => {
  test('take the same calls in opposite orders: each is taken once, and neither waits for the other in a circle', async (context) => {
    const place = await POSTGRES.create();
    await addOrganization(place);
    const [first, second] = await Promise.all([openProcess(place), openProcess(place)]);
    context.after(async () => {
      await Promise.all([first.database.close(), second.database.close()]);
      await place.remove();
    });
    const names = Array.from({ length: 20 }, (_, index) => `call-${index}`);
    const take = (by: TestProcess, order: readonly string[]) =>
      Promise.all(order.map((name) => by.begin(named(name))));
    const ones = await take(first, ['first of one', ...names]);
    const twos = await take(second, ['first of two', ...names.toReversed()]);
    // The first of each goes alone; what comes while that is committed shares the next commit.
    const outcomes = await Promise.all([
      ...ones.map((served) => first.reserve(served)),
      ...twos.map((served) => second.reserve(served)),
    ]);
    assert.equal(outcomes.filter((each) => !(each instanceof Denial)).length, names.length + 2);
    assert.equal(outcomes.filter((each) => codeOf(each) === 'idempotency_in_flight').length, names.length);
  });
});

function codeOf(given: unknown): string | undefined {
  return given instanceof Denial ? given.code : undefined;
}
