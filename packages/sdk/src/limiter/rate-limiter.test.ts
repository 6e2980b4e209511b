import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualTiming, settle } from '../../test/manual-timing.ts';
import type { Lease } from './lease.ts';
import { LimitReachedError, RateLimiter, type RateLimiterOptions, type Refusal } from './rate-limiter.ts';

const MINUTE_MS = 60_000;
/** The window's fineness. */
const SLOT_MS = 250;
const PRICES = { 'gpt-4.1': { inputUsdPerMillion: '2', outputUsdPerMillion: '8' } };

function setUp(limits: RateLimiterOptions['limits'], options: Partial<RateLimiterOptions> = {}) {
  const timing = new ManualTiming();
  return { timing, limiter: new RateLimiter({ limits, timing, prices: PRICES, ...options }) };
}

function granted(result: Lease | Refusal): Lease {
  if (result.granted) return result;
  return assert.fail(`refused by ${result.limit}`);
}

function refused(result: Lease | Refusal): Refusal {
  return result.granted ? assert.fail('granted') : result;
}

describe('requests per minute', () => {
  test('are never more in any 60 seconds, at the turn of a minute as little as elsewhere', async () => {
    const { limiter, timing } = setUp({ requestsPerMinute: 3 });
    await timing.advance(59_000);
    for (let count = 0; count < 3; count++) granted(limiter.tryAcquire({}));
    await timing.advance(2_000);
    const { limit, retryAfterMs } = refused(limiter.tryAcquire({}));
    assert.equal(limit, 'requestsPerMinute');
    assert.equal(retryAfterMs, 58_000 + SLOT_MS);
    await timing.advance(retryAfterMs);
    for (let count = 0; count < 3; count++) granted(limiter.tryAcquire({}));
    refused(limiter.tryAcquire({}));
  });
});

describe('tokens', () => {
  test('count once: what was reserved beyond the use goes back, not on top', () => {
    const { limiter } = setUp({ tokensPerMinute: 1_000 });
    granted(limiter.tryAcquire({ tokens: 800 })).settle({ tokens: 300 });
    assert.deepEqual(limiter.report().tokensThisMinute, { used: 300, limit: 1_000, remaining: 700 });
    granted(limiter.tryAcquire({ tokens: 700 }));
    refused(limiter.tryAcquire({ tokens: 1 }));
  });

  test('used beyond what was reserved are owed before others start', async () => {
    const { limiter, timing } = setUp({ tokensPerMinute: 1_000 });
    const lease = granted(limiter.tryAcquire({ tokens: 100 }));
    await timing.advance(30_000);
    lease.settle({ tokens: 2_500 });
    assert.deepEqual(limiter.report().tokensThisMinute, { used: 2_500, limit: 1_000, remaining: 0 });
    await timing.advance(30_000 + SLOT_MS);
    assert.equal(limiter.report().tokensThisMinute.used, 2_400);
    refused(limiter.tryAcquire({ tokens: 1 }));
    await timing.advance(30_000);
    granted(limiter.tryAcquire({ tokens: 1_000 }));
  });

  test('of a call that runs longer than a minute are not counted for longer than that', async () => {
    const { limiter, timing } = setUp({ tokensPerMinute: 1_000 });
    const lease = granted(limiter.tryAcquire({ tokens: 1_000 }));
    await timing.advance(MINUTE_MS + SLOT_MS);
    granted(limiter.tryAcquire({ tokens: 900 }));
    lease.settle({ tokens: 10 });
    assert.equal(limiter.report().tokensThisMinute.used, 900);
  });

  test('more than the limit itself are refused for good, and do not wait', async () => {
    const { limiter } = setUp({ tokensPerMinute: 1_000 });
    assert.deepEqual(refused(limiter.tryAcquire({ tokens: 1_001 })), {
      granted: false,
      limit: 'tokensPerMinute',
      retryAfterMs: undefined,
    });
    await assert.rejects(limiter.acquire({ tokens: 1_001 }, { wait: true }), LimitReachedError);
  });
});

describe('cost', () => {
  test('is held before the call and exact after it', () => {
    const { limiter } = setUp({ costPerDayUsd: '1.00', costPerMonthUsd: 10 });
    const lease = granted(limiter.tryAcquire({ costUsd: '0.40' }));
    assert.equal(limiter.report().costToday.heldUsd, '0.40');
    assert.equal(limiter.report().costToday.remainingUsd, '0.60');
    refused(limiter.tryAcquire({ costUsd: '0.600000001' }));
    lease.settle({ costUsd: '0.123456789' });
    const { costToday, costThisMonth } = limiter.report();
    assert.deepEqual([costToday.spentUsd, costToday.heldUsd], ['0.123456789', '0.00']);
    assert.deepEqual([costThisMonth.spentUsd, costThisMonth.remainingUsd], ['0.123456789', '9.876543211']);
    granted(limiter.tryAcquire({ costUsd: '0.876543211' }));
    refused(limiter.tryAcquire({ costUsd: '0.000000001' }));
  });

  test('of tenths does not drift', () => {
    const { limiter } = setUp({ costPerDayUsd: 1 });
    for (let count = 0; count < 10; count++) granted(limiter.tryAcquire({ costUsd: 0.1 })).settle();
    assert.equal(limiter.report().costToday.spentUsd, '1.00');
    refused(limiter.tryAcquire({ costUsd: '0.000000001' }));
  });

  test('is computed from a model and its tokens', () => {
    const { limiter } = setUp({ costPerDayUsd: '0.01', tokensPerMinute: 10_000 });
    const lease = granted(limiter.tryAcquire({ model: 'gpt-4.1', inputTokens: 1_000, outputTokens: 1_000 }));
    assert.equal(limiter.report().costToday.heldUsd, '0.01');
    lease.settle({ model: 'gpt-4.1', inputTokens: 900, outputTokens: 100 });
    assert.equal(limiter.report().costToday.spentUsd, '0.0026');
    assert.equal(limiter.report().tokensThisMinute.used, 1_000);
    assert.throws(() => limiter.tryAcquire({ model: 'other', inputTokens: 1, outputTokens: 1 }), /no price/);
  });

  test('starts anew with the UTC day and month, and a call belongs to the day on which it began', async () => {
    // 31 December, half an hour before midnight.
    const timing = new ManualTiming({ startMs: Date.UTC(2026, 11, 31, 23, 30) });
    const limiter = new RateLimiter({ limits: { costPerDayUsd: '1', costPerMonthUsd: '1.5' }, timing });
    const late = granted(limiter.tryAcquire({ costUsd: '1' }));
    const { limit, retryAfterMs } = refused(limiter.tryAcquire({ costUsd: '0.1' }));
    assert.deepEqual([limit, retryAfterMs], ['costPerDayUsd', 30 * MINUTE_MS]);
    assert.deepEqual(limiter.report().costThisMonth.resetsAt, new Date(Date.UTC(2027, 0, 1)));
    await timing.advance(31 * MINUTE_MS);
    granted(limiter.tryAcquire({ costUsd: '1' })).settle();
    late.settle({ costUsd: '0.7' });
    const { costToday, costThisMonth } = limiter.report();
    assert.deepEqual(
      [costToday.spentUsd, costThisMonth.spentUsd, costToday.heldUsd],
      ['1.00', '1.00', '0.00'],
    );
    await timing.advance(24 * 60 * MINUTE_MS);
    const month = refused(limiter.tryAcquire({ costUsd: '0.6' }));
    assert.deepEqual(
      [month.limit, month.retryAfterMs],
      ['costPerMonthUsd', (29 * 24 * 60 + 24 * 60 - 1) * MINUTE_MS],
    );
  });

  test('is not forgotten when the clock is set back', () => {
    const { limiter, timing } = setUp({ costPerDayUsd: '1' });
    granted(limiter.tryAcquire({ costUsd: '1' })).settle();
    timing.setTo(timing.nowMs() - 3 * 86_400_000);
    refused(limiter.tryAcquire({ costUsd: '0.1' }));
  });

  test('cannot be passed by calls that start together', async () => {
    const { limiter } = setUp({ costPerDayUsd: '1' });
    let running = 0;
    let most = 0;
    const call = async () => {
      most = Math.max(most, ++running);
      await settle();
      running--;
    };
    const outcomes = await Promise.allSettled(
      Array.from({ length: 50 }, () => limiter.run({ costUsd: '0.1' }, call)),
    );
    assert.equal(most, 10);
    assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 10);
  });
});

describe('what is unknown', () => {
  test('is not zero: a limit that counts it wants to know', () => {
    const tokens = setUp({ tokensPerMinute: 1 }).limiter;
    assert.throws(() => tokens.tryAcquire({}), /limit on tokens/);
    assert.throws(() => tokens.tryAcquire({ costUsd: 1 }), /limit on tokens/);
    for (const limits of [{ costPerDayUsd: 1 }, { costPerMonthUsd: 1 }]) {
      assert.throws(() => setUp(limits).limiter.tryAcquire({ tokens: 1 }), /limit on cost/);
    }
    assert.equal(tokens.report().requestsThisMinute.used, 0);
    granted(setUp({ requestsPerMinute: 1 }).limiter.tryAcquire({}));
  });

  test('stays at the estimate when a call is settled', () => {
    const { limiter } = setUp({ tokensPerMinute: 100, costPerDayUsd: 1 });
    granted(limiter.tryAcquire({ tokens: 50, costUsd: '0.5' })).settle({ tokens: 20 });
    assert.equal(limiter.report().costToday.spentUsd, '0.50');
    assert.equal(limiter.report().tokensThisMinute.used, 20);
    granted(limiter.tryAcquire({ tokens: 50, costUsd: '0.5' })).settle();
    assert.equal(limiter.report().tokensThisMinute.used, 70);
  });

  test('and so does what is no amount, which is told', () => {
    const { limiter } = setUp({ tokensPerMinute: 100, costPerDayUsd: 1 });
    const lease = granted(limiter.tryAcquire({ tokens: 50, costUsd: '0.5' }));
    assert.throws(() => lease.settle({ tokens: -5, costUsd: '-1' }), TypeError);
    assert.equal(lease.release(), false);
    const { costToday, tokensThisMinute, running } = limiter.report();
    assert.deepEqual(
      [costToday.spentUsd, costToday.heldUsd, tokensThisMinute.used, running],
      ['0.50', '0.00', 50, 0],
    );
  });

  test('limits are checked when the limiter is made', () => {
    for (const limits of [
      { requestsPerMinute: 0 },
      { requestsPerMinute: 1.5 },
      { tokensPerMinute: -1 },
      { tokensPerMinute: Number.NaN },
      { costPerDayUsd: 'ten' },
      { costPerMonthUsd: -1 },
    ]) {
      assert.throws(() => new RateLimiter({ limits }), TypeError, JSON.stringify(limits));
    }
  });
});

describe('a lease', () => {
  test('is settled or released once', () => {
    const { limiter } = setUp({ tokensPerMinute: 100, requestsPerMinute: 2 });
    const settled = granted(limiter.tryAcquire({ tokens: 50 }));
    assert.deepEqual(
      [settled.settle({ tokens: 10 }), settled.settle({ tokens: 90 }), settled.release()],
      [true, false, false],
    );
    assert.equal(limiter.report().tokensThisMinute.used, 10);
    const released = granted(limiter.tryAcquire({ tokens: 90 }));
    assert.deepEqual(
      [released.release(), released.release(), released.settle({ tokens: 90 })],
      [true, false, false],
    );
    assert.equal(limiter.report().tokensThisMinute.used, 10);
    assert.equal(limiter.report().requestsThisMinute.used, 1);
  });

  test('that nobody settles gives all back at the end of its block', () => {
    const { limiter } = setUp({ tokensPerMinute: 100, costPerDayUsd: 1, requestsPerMinute: 1 });
    {
      using lease = granted(limiter.tryAcquire({ tokens: 100, costUsd: 1 }));
      assert.ok(lease.granted);
      assert.equal(limiter.report().running, 1);
    }
    const { requestsThisMinute, tokensThisMinute, costToday, running } = limiter.report();
    assert.deepEqual(
      [requestsThisMinute.used, tokensThisMinute.used, costToday.heldUsd, running],
      [0, 0, '0.00', 0],
    );
    {
      using lease = granted(limiter.tryAcquire({ tokens: 100, costUsd: 1 }));
      lease.settle({ tokens: 60 });
    }
    assert.equal(limiter.report().tokensThisMinute.used, 60);
  });
});

describe('run', () => {
  test('settles with what the call says, at the estimate when it says nothing, and gives back when it throws', async () => {
    const { limiter } = setUp({ tokensPerMinute: 1_000 });
    const answer = await limiter.run({ tokens: 100 }, (lease) => {
      lease.settle({ tokens: 30 });
      return Promise.resolve('answer');
    });
    assert.equal(answer, 'answer');
    assert.equal(limiter.report().tokensThisMinute.used, 30);
    await limiter.run({ tokens: 100 }, () => Promise.resolve());
    assert.equal(limiter.report().tokensThisMinute.used, 130);
    const failure = new Error('the provider failed');
    await assert.rejects(
      limiter.run({ tokens: 100 }, () => Promise.reject(failure)),
      failure,
    );
    assert.equal(limiter.report().tokensThisMinute.used, 130);
    const paid = limiter.run({ tokens: 100 }, (lease) => {
      lease.settle({ tokens: 5 });
      return Promise.reject(failure);
    });
    await assert.rejects(paid, failure);
    assert.equal(limiter.report().tokensThisMinute.used, 135);
    assert.equal(limiter.report().running, 0);
  });

  test('does not call when the limits refuse, and says why', async () => {
    const { limiter } = setUp({ requestsPerMinute: 1 });
    await limiter.run({}, () => Promise.resolve());
    await assert.rejects(
      limiter.run({}, () => assert.fail()),
      (error) => {
        assert.ok(error instanceof LimitReachedError);
        assert.equal(error.refusal.limit, 'requestsPerMinute');
        assert.match(error.message, /requestsPerMinute.*retry in 60250 ms/);
        return true;
      },
    );
  });
});

describe('those who wait', () => {
  test('are served in the order in which they came, a large one not passed by small ones', async () => {
    const { limiter, timing } = setUp({ tokensPerMinute: 100 });
    granted(limiter.tryAcquire({ tokens: 60 }));
    await timing.advance(10_000);
    const order: string[] = [];
    const wait = (name: string, tokens: number) =>
      limiter.acquire({ tokens }, { wait: true }).then((lease) => {
        order.push(name);
        return lease;
      });
    const large = wait('large', 90);
    const small = wait('small', 10);
    // There is room for ten, but two are waiting.
    assert.equal(refused(limiter.tryAcquire({ tokens: 10 })).retryAfterMs, 50_000 + SLOT_MS);
    await assert.rejects(limiter.acquire({ tokens: 10 }), LimitReachedError);
    assert.equal(limiter.report().waiting, 2);
    await timing.advance(50_000);
    assert.deepEqual(order, []);
    await timing.advance(SLOT_MS);
    await Promise.all([large, small]);
    assert.deepEqual(order, ['large', 'small']);
    assert.equal(timing.pending, 0);
  });

  test('go on as soon as somebody gives back', async () => {
    const { limiter, timing } = setUp({ costPerDayUsd: 1 });
    const first = granted(limiter.tryAcquire({ costUsd: '0.9' }));
    const second = limiter.acquire({ costUsd: '0.5' }, { wait: true });
    first.settle({ costUsd: '0.2' });
    const lease = await second;
    const third = limiter.acquire({ costUsd: '0.5' }, { wait: true });
    lease.release();
    await third;
    assert.equal(timing.pending, 0);
  });

  test('wait for the next month if that is what it takes, longer than timers can count', async () => {
    const { limiter, timing } = setUp({ costPerMonthUsd: 1 });
    granted(limiter.tryAcquire({ costUsd: 1 })).settle();
    let isServed = false;
    const waiting = limiter.acquire({ costUsd: 1 }, { wait: true }).then(() => {
      isServed = true;
    });
    await timing.advance(Date.UTC(2026, 11, 1) - timing.nowMs() - 1);
    assert.equal(isServed, false);
    await timing.advance(1);
    await waiting;
  });

  test('leave with their signal, and let the next one up', async () => {
    const { limiter, timing } = setUp({ tokensPerMinute: 100 });
    granted(limiter.tryAcquire({ tokens: 50 }));
    const gone = new AbortController();
    const large = limiter.acquire({ tokens: 100 }, { wait: true, signal: gone.signal });
    const small = limiter.acquire({ tokens: 50 }, { wait: true });
    const reason = new Error('the user has left');
    gone.abort(reason);
    await assert.rejects(large, reason);
    (await small).release();
    await assert.rejects(limiter.acquire({ tokens: 1 }, { signal: gone.signal }), reason);
    assert.equal(limiter.report().waiting, 0);
    assert.equal(timing.pending, 0);
    assert.equal(limiter.report().tokensThisMinute.used, 50);
  });

  test('are no more than may wait', async () => {
    const { limiter } = setUp({ requestsPerMinute: 1 }, { waitersMax: 2 });
    granted(limiter.tryAcquire({}));
    const waiting = [limiter.acquire({}, { wait: true }), limiter.acquire({}, { wait: true })];
    await assert.rejects(
      limiter.acquire({}, { wait: true }),
      (error) => error instanceof LimitReachedError && error.refusal.limit === 'waitersMax',
    );
    assert.equal(limiter.report().waiting, waiting.length);
  });

  test('keep the program running', async () => {
    const { limiter, timing } = setUp({ requestsPerMinute: 1 });
    granted(limiter.tryAcquire({}));
    void limiter.acquire({}, { wait: true });
    await settle();
    assert.ok(timing.pending > 0 && !timing.isAllBackground);
  });
});

describe('a report', () => {
  test('says what is used, held and left; what has no limit is counted all the same', async () => {
    const { limiter } = setUp({ requestsPerMinute: 2, costPerDayUsd: '2' });
    granted(limiter.tryAcquire({ tokens: 10, costUsd: '0.5' })).settle({ tokens: 7, costUsd: '0.25' });
    granted(limiter.tryAcquire({ tokens: 20, costUsd: '1' }));
    void limiter.acquire({ costUsd: '1' }, { wait: true });
    await settle();
    assert.deepEqual(limiter.report(), {
      requestsThisMinute: { used: 2, limit: 2, remaining: 0 },
      tokensThisMinute: { used: 27, limit: undefined, remaining: undefined },
      costToday: {
        spentUsd: '0.25',
        heldUsd: '1.00',
        limitUsd: '2.00',
        remainingUsd: '0.75',
        resetsAt: new Date(Date.UTC(2026, 10, 24)),
      },
      costThisMonth: {
        spentUsd: '0.25',
        heldUsd: '1.00',
        limitUsd: undefined,
        remainingUsd: undefined,
        resetsAt: new Date(Date.UTC(2026, 11, 1)),
      },
      running: 1,
      waiting: 1,
    });
  });
});
