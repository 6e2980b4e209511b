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
        Array.from({ length: 500 }, async () => limiter.admit('key', { rules, tokens: 0 })),
      );
      assert.equal(answers.filter((answer) => !(answer instanceof Denial)).length, 100);
    });

    test('a minute later as many pass again, never more than the limit', async () => {
      const { limiter, clock } = setUp();
      const rules = { ...NONE, requestsPerMinute: 100 };
      for (let round = 0; round < 3; round++) {
        let passed = 0;
        for (let call = 0; call < 150; call++) {
          if (!((await limiter.admit('key', { rules, tokens: 0 })) instanceof Denial)) passed++;
        }
        assert.equal(passed, 100);
        clock.advance(600_000);
      }
    });

    test('a refused call consumes nothing of any limit', async () => {
      const { limiter } = setUp();
      const rules = { requestsPerMinute: 10, tokensPerMinute: 100, concurrentRequests: 5 };
      const refused = await limiter.admit('key', { rules, tokens: 101 });
      assert.ok(refused instanceof Denial);
      assert.equal(limiter.peek('key', rules).requests?.remaining, 10);
      assert.equal(limiter.peek('key', rules).tokens?.remaining, 100);
      for (let call = 0; call < 5; call++) await admitted(limiter, rules, 1);
    });

    test('tokens estimated too high go back, tokens estimated too low are owed', async () => {
      const { limiter } = setUp();
      const rules = { ...NONE, tokensPerMinute: 100 };
      (await admitted(limiter, rules, 90)).finish(10);
      assert.equal(limiter.peek('key', rules).tokens?.remaining, 90);
      (await admitted(limiter, rules, 10)).finish(200);
      assert.equal(limiter.peek('key', rules).tokens?.remaining, 0);
      const denial = await limiter.admit('key', { rules, tokens: 1 });
      assert.ok(denial instanceof Denial && (denial.detail.retryAfterMs ?? 0) > 60_000);
    });

    test('a slot is freed once, however often finish is called', async () => {
      const { limiter } = setUp();
      const rules = { ...NONE, concurrentRequests: 2 };
      const first = await admitted(limiter, rules, 0);
      await admitted(limiter, rules, 0);
      const third = await limiter.admit('key', { rules, tokens: 0 });
      assert.ok(third instanceof Denial && third.code === 'concurrency_exceeded');
      first.finish(undefined);
      first.finish(undefined);
      await admitted(limiter, rules, 0);
      assert.ok((await limiter.admit('key', { rules, tokens: 0 })) instanceof Denial);
    });

    test('a cancelled call has consumed nothing', async () => {
      const { limiter } = setUp();
      const rules = { requestsPerMinute: 1, tokensPerMinute: 10, concurrentRequests: 1 };
      for (let call = 0; call < 5; call++) (await admitted(limiter, rules, 10)).cancel();
      (await admitted(limiter, rules, 10)).finish(10);
      assert.ok((await limiter.admit('key', { rules, tokens: 10 })) instanceof Denial);
    });

    test('retry-after tells when the call really passes', async () => {
      const { limiter, clock } = setUp();
      const rules = { ...NONE, requestsPerMinute: 6 };
      for (let call = 0; call < 6; call++) await admitted(limiter, rules, 0);
      const denial = await limiter.admit('key', { rules, tokens: 0 });
      assert.ok(denial instanceof Denial && denial.code === 'rate_limit_exceeded');
      assert.equal(denial.detail.retryAfterMs, 10_000);
      clock.advance(9_999);
      assert.ok((await limiter.admit('key', { rules, tokens: 0 })) instanceof Denial);
      clock.advance(1);
      await admitted(limiter, rules, 0);
    });

    test('a limit that is changed takes effect at once and forgives nothing', async () => {
      const { limiter } = setUp();
      for (let call = 0; call < 8; call++) await admitted(limiter, { ...NONE, requestsPerMinute: 10 }, 0);
      assert.equal(limiter.peek('key', { ...NONE, requestsPerMinute: 20 }).requests?.remaining, 12);
      assert.equal(limiter.peek('key', { ...NONE, requestsPerMinute: 9 }).requests?.remaining, 1);
    });

    test('keys do not share a limit', async () => {
      const { limiter } = setUp();
      const rules = { ...NONE, requestsPerMinute: 1 };
      await admitted(limiter, rules, 0);
      assert.ok(!((await limiter.admit('other', { rules, tokens: 0 })) instanceof Denial));
    });

    function setUp(): { limiter: Limiter; clock: ManualClock } {
      const clock = new ManualClock();
      return { limiter: create(clock), clock };
    }
  });
}

async function admitted(limiter: Limiter, rules: LimitRules, tokens: number): Promise<Admission> {
  const answer = await limiter.admit('key', { rules, tokens });
  assert.ok(!(answer instanceof Denial), 'the call is admitted');
  return answer;
}
