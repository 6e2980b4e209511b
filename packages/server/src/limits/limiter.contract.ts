/** What every `Limiter` guarantees. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../../test/manual-clock.ts';
import { Denial } from '../kernel/denial.ts';
import type { Admission, LimitRules, Limiter } from './limiter.ts';

const NONE: LimitRules = {
  requestsPerMinute: undefined,
  tokensPerMinute: undefined,
  concurrentRequests: undefined,
};

export function limiterContract(name: string, create: (clock: ManualClock) => Limiter): void {
  describe(`limiter in ${name}`, () => {
    test('of 500 calls at once on a limit of 100 a minute exactly 100 pass', async () => {
      const { limiter } = setUp();
      const rules = { ...NONE, requestsPerMinute: 100 };
      const answers = await Promise.all(
        Array.from({ length: 500 }, async () => limiter.admit([{ id: 'key', limits: rules }], 0)),
      );
      assert.equal(answers.filter((answer) => !(answer instanceof Denial)).length, 100);
    });

    test('a minute later as many pass again, never more than the limit', async () => {
      const { limiter, clock } = setUp();
      const rules = { ...NONE, requestsPerMinute: 100 };
      for (let round = 0; round < 3; round++) {
        let passed = 0;
        for (let call = 0; call < 150; call++) {
          if (!((await limiter.admit([{ id: 'key', limits: rules }], 0)) instanceof Denial)) passed++;
        }
        assert.equal(passed, 100);
        clock.advance(600_000);
      }
    });

    test('a wall clock that jumps gives nothing back and takes nothing', async () => {
      const { limiter, clock } = setUp();
      const limits = { ...NONE, requestsPerMinute: 2 };
      const admit = async () => !((await limiter.admit([{ id: 'key', limits }], 0)) instanceof Denial);
      assert.deepEqual([await admit(), await admit(), await admit()], [true, true, false]);
      for (const byMs of [86_400_000, -2 * 86_400_000]) {
        clock.setTo(clock.nowMs() + byMs);
        assert.equal(await admit(), false);
      }
      clock.advance(60_000);
      assert.equal(await admit(), true);
    });

    test('a call under the limits of two keys passes both or touches none', async () => {
      const { limiter } = setUp();
      const wide = { id: 'parent', limits: { ...NONE, requestsPerMinute: 3, tokensPerMinute: 100 } };
      const narrow = { id: 'child', limits: { ...NONE, requestsPerMinute: 2, concurrentRequests: 9 } };
      const both = [narrow, wide];
      for (let call = 0; call < 2; call++) assert.ok(!((await limiter.admit(both, 10)) instanceof Denial));
      assert.ok((await limiter.admit(both, 10)) instanceof Denial, "the child's own limit");
      assert.equal(limiter.peek([wide]).requests?.remaining, 1);
      assert.equal(limiter.peek([wide]).tokens?.remaining, 80);
      const other = { id: 'other child', limits: NONE };
      const last = await limiter.admit([other, wide], 10);
      assert.ok(!(last instanceof Denial));
      assert.ok((await limiter.admit([other, wide], 0)) instanceof Denial, "its parent's");
      last.cancel();
      assert.equal(limiter.peek([other, wide]).requests?.remaining, 1);
      assert.equal(limiter.peek([wide]).tokens?.remaining, 80);
    });

    test('a refused call consumes nothing of any limit', async () => {
      const { limiter } = setUp();
      const rules = { requestsPerMinute: 10, tokensPerMinute: 100, concurrentRequests: 5 };
      const refused = await limiter.admit([{ id: 'key', limits: rules }], 101);
      assert.ok(refused instanceof Denial);
      assert.equal(limiter.peek([{ id: 'key', limits: rules }]).requests?.remaining, 10);
      assert.equal(limiter.peek([{ id: 'key', limits: rules }]).tokens?.remaining, 100);
      for (let call = 0; call < 5; call++) await admitted(limiter, rules, 1);
    });

    test('tokens estimated too high go back, tokens estimated too low are owed', async () => {
      const { limiter } = setUp();
      const rules = { ...NONE, tokensPerMinute: 100 };
      (await admitted(limiter, rules, 90)).finish(10);
      assert.equal(limiter.peek([{ id: 'key', limits: rules }]).tokens?.remaining, 90);
      (await admitted(limiter, rules, 10)).finish(200);
      assert.equal(limiter.peek([{ id: 'key', limits: rules }]).tokens?.remaining, 0);
      const denial = await limiter.admit([{ id: 'key', limits: rules }], 1);
      assert.ok(denial instanceof Denial && (denial.detail.retryAfterMs ?? 0) > 60_000);
    });

    test('a slot is freed once, however often finish is called', async () => {
      const { limiter } = setUp();
      const rules = { ...NONE, concurrentRequests: 2 };
      const first = await admitted(limiter, rules, 0);
      await admitted(limiter, rules, 0);
      const third = await limiter.admit([{ id: 'key', limits: rules }], 0);
      assert.ok(third instanceof Denial && third.code === 'concurrency_exceeded');
      first.finish(undefined);
      first.finish(undefined);
      await admitted(limiter, rules, 0);
      assert.ok((await limiter.admit([{ id: 'key', limits: rules }], 0)) instanceof Denial);
    });

    test('a cancelled call has consumed nothing', async () => {
      const { limiter } = setUp();
      const rules = { requestsPerMinute: 1, tokensPerMinute: 10, concurrentRequests: 1 };
      for (let call = 0; call < 5; call++) (await admitted(limiter, rules, 10)).cancel();
      (await admitted(limiter, rules, 10)).finish(10);
      assert.ok((await limiter.admit([{ id: 'key', limits: rules }], 10)) instanceof Denial);
    });

    test('retry-after tells when the call really passes', async () => {
      const { limiter, clock } = setUp();
      const rules = { ...NONE, requestsPerMinute: 6 };
      for (let call = 0; call < 6; call++) await admitted(limiter, rules, 0);
      const denial = await limiter.admit([{ id: 'key', limits: rules }], 0);
      assert.ok(denial instanceof Denial && denial.code === 'rate_limit_exceeded');
      assert.equal(denial.detail.retryAfterMs, 10_000);
      clock.advance(9_999);
      assert.ok((await limiter.admit([{ id: 'key', limits: rules }], 0)) instanceof Denial);
      clock.advance(1);
      await admitted(limiter, rules, 0);
    });

    test('a limit that is changed takes effect at once and forgives nothing', async () => {
      const { limiter } = setUp();
      for (let call = 0; call < 8; call++) await admitted(limiter, { ...NONE, requestsPerMinute: 10 }, 0);
      assert.equal(
        limiter.peek([{ id: 'key', limits: { ...NONE, requestsPerMinute: 20 } }]).requests?.remaining,
        12,
      );
      assert.equal(
        limiter.peek([{ id: 'key', limits: { ...NONE, requestsPerMinute: 9 } }]).requests?.remaining,
        1,
      );
    });

    test('keys do not share a limit', async () => {
      const { limiter } = setUp();
      const rules = { ...NONE, requestsPerMinute: 1 };
      await admitted(limiter, rules, 0);
      assert.ok(!((await limiter.admit([{ id: 'other', limits: rules }], 0)) instanceof Denial));
    });

    function setUp(): { limiter: Limiter; clock: ManualClock } {
      const clock = new ManualClock();
      return { limiter: create(clock), clock };
    }
  });
}

async function admitted(limiter: Limiter, rules: LimitRules, tokens: number): Promise<Admission> {
  const answer = await limiter.admit([{ id: 'key', limits: rules }], tokens);
  assert.ok(!(answer instanceof Denial), 'the call is admitted');
  return answer;
}
