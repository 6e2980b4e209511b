import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatUsd, nanos } from '@keyfold/protocol';
import { ManualTiming } from '../../test/manual-timing.ts';
import type { Lease } from './lease.ts';
import { RateLimiter } from './rate-limiter.ts';

const LIMITS = { requests: 8, tokens: 1_000, dayCents: 100, monthCents: 250 };
const WINDOW_MS = 60_000;
/** How much longer than the window something may be counted. */
const SLACK_MS = 250;
const DAY_MS = 86_400_000;
const NANOS_PER_CENT = 10_000_000n;

/** A call as the model sees it: what it was granted, and what it turned out to use. */
interface Call {
  readonly id: number;
  readonly lease: Lease;
  readonly atMs: number;
  readonly tokens: number;
  readonly cents: number;
  state: 'running' | 'settled' | 'released';
  usedTokens: number;
  usedCents: number;
  endedAtMs: number;
}

interface Amounts {
  readonly tokens: number;
  readonly cents: number;
}

type Step =
  | ({ readonly kind: 'try' | 'wait' } & Amounts)
  | ({ readonly kind: 'settle'; readonly which: number } & Amounts)
  | { readonly kind: 'release' | 'abort'; readonly which: number }
  | { readonly kind: 'pass'; readonly ms: number };

const amounts = { tokens: fc.nat(400), cents: fc.nat(15) };
const which = fc.nat(1_000);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('try'), ...amounts }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait'), ...amounts }) },
  // Usage may turn out higher than the estimate.
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('settle'), which, tokens: fc.nat(600), cents: fc.nat(20) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('release'), which }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('abort'), which }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass'), ms: fc.nat(30_000) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('pass'), ms: fc.nat(2 * DAY_MS) }) },
);

/** Drives a limiter, keeps its own simple record of everything, and compares after each grant. */
class Model {
  readonly timing = new ManualTiming();
  readonly limiter = new RateLimiter({
    limits: {
      requestsPerMinute: LIMITS.requests,
      tokensPerMinute: LIMITS.tokens,
      costPerDayUsd: LIMITS.dayCents / 100,
      costPerMonthUsd: LIMITS.monthCents / 100,
    },
    timing: this.timing,
  });
  readonly calls: Call[] = [];
  /** In the order in which they came. */
  readonly waiting = new Map<number, Amounts & { readonly gone: AbortController }>();
  #ids = 0;
  #grantedLast = -1;

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'try': {
        const result = this.limiter.tryAcquire(amountOf(step));
        if (result.granted) this.#granted(this.#ids++, result, step);
        else {
          const fits = this.#fits(step, WINDOW_MS + SLACK_MS);
          assert.ok(!fits || this.waiting.size > 0, `refused by ${result.limit} though it fits`);
        }
        break;
      }
      case 'wait':
        this.#wait(step);
        break;
      case 'settle':
        this.#end(step.which, step);
        break;
      case 'release':
        this.#end(step.which, undefined);
        break;
      case 'abort': {
        const ids = [...this.waiting.keys()];
        this.waiting.get(ids[step.which % ids.length] ?? -1)?.gone.abort();
        break;
      }
      case 'pass':
        await this.timing.advance(step.ms);
        break;
    }
    await this.timing.advance(0);
    const [first] = this.waiting.values();
    assert.ok(
      first === undefined || !this.#fits(first, WINDOW_MS + SLACK_MS),
      'somebody waits although there is room',
    );
    this.checkReport();
  }

  /** Nobody is stuck, and every number is accounted for. */
  async finish(): Promise<void> {
    for (let rounds = 0; this.waiting.size > 0 || this.running.length > 0; rounds++) {
      assert.ok(rounds < 100, 'somebody waits for ever');
      for (const call of this.running)
        this.#end(this.running.indexOf(call), { tokens: call.tokens, cents: call.cents });
      await this.timing.advance(3 * DAY_MS);
    }
    await this.timing.advance(WINDOW_MS + SLACK_MS);
    const { requestsThisMinute, tokensThisMinute, costToday, costThisMonth, running, waiting } =
      this.limiter.report();
    assert.deepEqual([requestsThisMinute.used, tokensThisMinute.used, running, waiting], [0, 0, 0, 0]);
    assert.deepEqual([costToday.heldUsd, costThisMonth.heldUsd], ['0.00', '0.00']);
    assert.equal(this.timing.pending, 0);
    this.checkReport();
  }

  get running(): Call[] {
    return this.calls.filter(({ state }) => state === 'running');
  }

  checkReport(): void {
    const { costToday, costThisMonth, running, waiting } = this.limiter.report();
    assert.deepEqual([running, waiting], [this.running.length, this.waiting.size]);
    for (const [report, period] of [
      [costToday, dayOf],
      [costThisMonth, monthOf],
    ] as const) {
      const calls = this.calls.filter(({ atMs }) => period(atMs) === period(this.timing.nowMs()));
      const spent = calls.reduce((sum, call) => sum + (call.state === 'settled' ? call.usedCents : 0), 0);
      const held = calls.reduce((sum, call) => sum + (call.state === 'running' ? call.cents : 0), 0);
      assert.deepEqual([report.spentUsd, report.heldUsd], [dollars(spent), dollars(held)]);
    }
  }

  #wait(step: Amounts): void {
    const id = this.#ids++;
    const gone = new AbortController();
    this.waiting.set(id, { ...step, gone });
    this.limiter.acquire(amountOf(step), { wait: true, signal: gone.signal }).then(
      (lease) => {
        this.waiting.delete(id);
        assert.ok(id > this.#grantedLast, 'served in the order in which they came');
        this.#grantedLast = id;
        this.#granted(id, lease, step);
      },
      (error: unknown) => {
        assert.ok(gone.signal.aborted && error === gone.signal.reason, String(error));
        this.waiting.delete(id);
      },
    );
  }

  /** The guarantee itself: with this grant, nothing is above its limit except by what calls used beyond their estimate. */
  #granted(id: number, lease: Lease, { tokens, cents }: Amounts): void {
    const atMs = this.timing.nowMs();
    assert.ok(this.#fits({ tokens, cents }, WINDOW_MS), 'let through above a limit');
    this.calls.push({
      id,
      lease,
      atMs,
      tokens,
      cents,
      state: 'running',
      usedTokens: 0,
      usedCents: 0,
      endedAtMs: 0,
    });
  }

  /** By plain sums over everything that ever happened. */
  #fits({ tokens, cents }: Amounts, windowMs: number): boolean {
    const nowMs = this.timing.nowMs();
    const isRecent = (atMs: number) => atMs > nowMs - windowMs;
    const kept = this.calls.filter(({ state }) => state !== 'released');
    const sum = (numbers: number[]) => numbers.reduce((total, each) => total + each, 0);
    const requests = kept.filter(({ atMs }) => isRecent(atMs)).length;
    const reserved = kept
      .filter(({ atMs }) => isRecent(atMs))
      .map((call) => (call.state === 'settled' ? Math.min(call.tokens, call.usedTokens) : call.tokens));
    const owed = kept
      .filter(({ state, endedAtMs }) => state === 'settled' && isRecent(endedAtMs))
      .map((call) => Math.max(0, call.usedTokens - call.tokens));
    const cost = (period: (ms: number) => number) =>
      sum(
        kept
          .filter(({ atMs }) => period(atMs) === period(nowMs))
          .map((call) => (call.state === 'settled' ? call.usedCents : call.cents)),
      );
    return (
      requests + 1 <= LIMITS.requests &&
      sum(reserved) + sum(owed) + tokens <= LIMITS.tokens &&
      cost(dayOf) + cents <= LIMITS.dayCents &&
      cost(monthOf) + cents <= LIMITS.monthCents
    );
  }

  #end(which: number, used: Amounts | undefined): void {
    const { running } = this;
    const call = running[which % running.length];
    if (call === undefined) return;
    call.endedAtMs = this.timing.nowMs();
    if (used === undefined) {
      call.state = 'released';
      assert.ok(call.lease.release());
    } else {
      call.state = 'settled';
      call.usedTokens = used.tokens;
      call.usedCents = used.cents;
      assert.ok(call.lease.settle(amountOf(used)));
      assert.ok(!call.lease.settle(amountOf(used)), 'settled once');
    }
    assert.ok(!call.lease.release(), 'resolved once');
  }
}

describe('whatever comes in whatever order', () => {
  test('no limit is ever passed by a grant, nothing is lost, and nobody waits for ever', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 80 }), async (steps) => {
        const model = new Model();
        for (const each of steps) await model.take(each);
        await model.finish();
      }),
      { numRuns: 100 },
    );
  });
});

function amountOf({ tokens, cents }: Amounts) {
  return { tokens, costUsd: dollars(cents) };
}

function dollars(cents: number): string {
  return formatUsd(nanos(BigInt(cents) * NANOS_PER_CENT));
}

function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

function monthOf(ms: number): number {
  const at = new Date(ms);
  return at.getUTCFullYear() * 12 + at.getUTCMonth();
}
