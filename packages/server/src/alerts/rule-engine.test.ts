import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Id, formatUsd, nanos } from '@keyfold/protocol';
import fc from 'fast-check';
import type { StoredEvent } from '../audit/stored-event.ts';
import { FLOOR_NANOS_PER_HOUR } from './baseline.ts';
import { CLOCK_SKEW_MAX_MS, type Condition, type Finding, type KeyFacts, type Rule } from './rule.ts';
import { type EnginePorts, RuleEngine } from './rule-engine.ts';
import { TEACHING_CALLS, TEACHING_MS } from './sighting-memory.ts';
import { BUCKETS } from './sliding-sum.ts';

const ORGANIZATION = 'org_1' as Id<'organization'>;
const START_MS = Date.UTC(2026, 10, 23, 12);
const DOLLAR = 1_000_000_000n;
const COOLDOWN_S = 600;

function ruleOf(when: Condition, changes: Partial<Rule> = {}): Rule {
  return {
    id: `arl_${when.kind}` as Id<'alertRule'>,
    organizationId: ORGANIZATION,
    name: when.kind,
    scope: 'organization',
    scopeIds: [],
    when,
    webhookIds: [],
    action: { kind: 'none' },
    cooldownS: COOLDOWN_S,
    isEnabled: true,
    createdAtMs: 0,
    updatedAtMs: 1,
    ...changes,
  };
}

let sequence = 0;
function eventOf(action: string, changes: Partial<StoredEvent> = {}): StoredEvent {
  return {
    node: 1,
    sequence: ++sequence,
    timeMs: START_MS,
    action,
    actor: 'key_1',
    target: 'res_1',
    decision: 'allowed',
    requestId: `req_${sequence}`,
    organizationId: ORGANIZATION,
    address: undefined,
    costUsd: undefined,
    detail: {},
    ...changes,
  };
}

const opened = (target: string, held: bigint, changes: Partial<StoredEvent> = {}) =>
  eventOf('call.opened', {
    target,
    address: '192.0.2.1',
    ...changes,
    detail: { provider: 'openai', model: 'gpt', held_usd: formatUsd(nanos(held)), ...changes.detail },
  });
const settled = (target: string, cost: bigint, changes: Partial<StoredEvent> = {}) =>
  eventOf('call.settled', { target, costUsd: formatUsd(nanos(cost)), ...changes });

function engineWith(rules: readonly Rule[], ports: Partial<EnginePorts> = {}) {
  const facts: KeyFacts = {
    organizationId: ORGANIZATION,
    projectId: 'prj_1',
    createdAtMs: 0,
    parentId: undefined,
  };
  const engine = new RuleEngine({
    nowMs: () => START_MS + 365 * 86_400_000,
    factsOf: () => Promise.resolve(facts),
    baselineOf: () => assert.fail('no baseline is asked for'),
    sightingsOf: () => Promise.resolve({ sinceMs: undefined, calls: 0, values: [] }),
    ...ports,
  });
  engine.follow(rules);
  const found: Finding[] = [];
  return {
    engine,
    found,
    see: async (...events: readonly StoredEvent[]) => {
      const before = found.length;
      for (const event of events) found.push(...(await engine.observe(event, 'judge')).findings);
      return found.slice(before);
    },
  };
}

const threshold = (usd: bigint, windowS = 60) =>
  ({ kind: 'spend_threshold', usd: nanos(usd), windowS }) as const;

describe('a rule about spend', () => {
  test('counts what open calls hold, so that it need not wait for them to end', async () => {
    const { see } = engineWith([ruleOf(threshold(10n * DOLLAR))]);
    assert.deepEqual(await see(opened('res_1', 6n * DOLLAR)), []);
    const [finding] = await see(opened('res_2', 4n * DOLLAR));
    assert.equal(finding?.subject, 'key_1');
    assert.deepEqual(finding?.measured, { spent_usd: '10.00', window_seconds: 60, limit_usd: '10.00' });
  });

  test('takes away what calls did not cost, and adds what they cost beyond their hold', async () => {
    const { see } = engineWith([ruleOf(threshold(10n * DOLLAR))]);
    assert.deepEqual(await see(opened('res_1', 9n * DOLLAR), settled('res_1', DOLLAR)), []);
    assert.deepEqual(await see(opened('res_2', 8n * DOLLAR)), []);
    assert.equal((await see(settled('res_2', 9n * DOLLAR))).length, 1);
  });

  test('does not count what was released, or is of another key', async () => {
    const { see } = engineWith([ruleOf(threshold(10n * DOLLAR))]);
    const released = eventOf('call.released', { target: 'res_1', costUsd: '0.00' });
    assert.deepEqual(
      await see(
        opened('res_1', 9n * DOLLAR),
        released,
        opened('res_2', 9n * DOLLAR),
        opened('res_3', 9n * DOLLAR, { actor: 'key_2' }),
      ),
      [],
    );
  });

  test("counts a child's calls as its parent's", async () => {
    const parentOf = (id: string) => (id.startsWith('key_child') ? 'key_parent' : undefined);
    const { see } = engineWith([ruleOf(threshold(10n * DOLLAR))], {
      factsOf: (id) =>
        Promise.resolve({
          organizationId: ORGANIZATION,
          projectId: 'prj_1',
          createdAtMs: 0,
          parentId: parentOf(id),
        }),
    });
    const found = await see(
      opened('res_1', 5n * DOLLAR, { actor: 'key_child1' }),
      opened('res_2', 5n * DOLLAR, { actor: 'key_child2' }),
    );
    assert.deepEqual(
      found.map(({ subject }) => subject),
      ['key_parent'],
    );
  });

  test('is never early, and never late by more than a bucket, whatever calls hold and cost', async () => {
    const calls = fc.array(
      fc.record({
        afterMs: fc.integer({ min: 1, max: 9_000 }),
        held: fc.bigInt({ min: 1n, max: 5n * DOLLAR }),
        percent: fc.bigInt({ min: 0n, max: 200n }),
      }),
      { minLength: 1, maxLength: 40 },
    );
    await fc.assert(
      fc.asyncProperty(calls, async (steps) => {
        const limit = 20n * DOLLAR;
        const windowMs = 60_000;
        const { see } = engineWith([ruleOf(threshold(limit), { cooldownS: 0 })]);
        const spent: { atMs: number; amount: bigint }[] = [];
        const within = (spanMs: number, nowMs: number) =>
          spent.filter(({ atMs }) => atMs > nowMs - spanMs).reduce((sum, { amount }) => sum + amount, 0n);
        let nowMs = START_MS;
        for (const [index, { afterMs, held, percent }] of steps.entries()) {
          nowMs += afterMs;
          const openedAtMs = nowMs;
          spent.push({ atMs: openedAtMs, amount: held });
          const fired = (await see(opened(`res_${index}`, held, { timeMs: nowMs }))).length > 0;
          if (fired) assert.ok(within(windowMs, nowMs) >= limit, 'never early');
          else assert.ok(within(windowMs - windowMs / BUCKETS, nowMs) < limit, 'never late');
          nowMs += afterMs;
          const cost = (held * percent) / 100n;
          const change = cost - held;
          if (change !== 0n) spent.push({ atMs: change < 0n ? openedAtMs : nowMs, amount: change });
          const ended = (await see(settled(`res_${index}`, cost, { timeMs: nowMs }))).length > 0;
          if (ended) assert.ok(within(windowMs, nowMs) >= limit, 'never early');
        }
      }),
      { seed: 7, numRuns: 60 },
    );
  });

  test('counts what several nodes record, although their clocks differ and one jumps ahead', async () => {
    const { see } = engineWith([ruleOf(threshold(10n * DOLLAR, 10))], { nowMs: () => START_MS });
    const later = (afterMs: number, node: number) => ({ timeMs: START_MS + afterMs, node });
    assert.deepEqual(await see(opened('res_1', 1n, later(3_600_000, 2))), []);
    assert.deepEqual(await see(opened('res_2', 6n * DOLLAR, later(-9_000, 1))), []);
    const [finding, ...others] = await see(opened('res_3', 4n * DOLLAR, later(0, 1)));
    assert.deepEqual([finding?.atMs, others], [START_MS, []]);
  });

  test('is in no pause that lasts longer because a clock was ahead', async () => {
    let nowMs = START_MS;
    const { see } = engineWith([ruleOf(threshold(DOLLAR))], { nowMs: () => nowMs });
    const [finding] = await see(opened('res_1', DOLLAR, { timeMs: START_MS + 3_600_000 }));
    assert.equal(finding?.atMs, START_MS + CLOCK_SKEW_MAX_MS);
    nowMs += CLOCK_SKEW_MAX_MS + COOLDOWN_S * 1_000;
    assert.equal((await see(opened('res_2', DOLLAR, { timeMs: nowMs }))).length, 1);
  });

  test('corrects nothing in a window that has not counted it', async () => {
    const { engine, see } = engineWith([ruleOf(threshold(10n * DOLLAR))]);
    await see(opened('res_1', 9n * DOLLAR));
    engine.follow([ruleOf(threshold(10n * DOLLAR), { updatedAtMs: 2 })]);
    assert.deepEqual(await see(opened('res_2', 9n * DOLLAR), settled('res_1', 0n)), []);
    assert.equal((await see(opened('res_3', DOLLAR))).length, 1);
  });

  test('says no more about a key for its pause, and speaks again after it', async () => {
    const { see } = engineWith([ruleOf(threshold(DOLLAR))]);
    const later = (afterS: number) => ({ timeMs: START_MS + afterS * 1_000 });
    assert.equal((await see(opened('res_1', DOLLAR))).length, 1);
    assert.equal((await see(opened('res_2', DOLLAR, later(COOLDOWN_S - 1)))).length, 0);
    assert.equal((await see(opened('res_3', DOLLAR, later(COOLDOWN_S)))).length, 1);
    assert.equal((await see(opened('res_4', DOLLAR, { actor: 'key_2' }))).length, 1);
  });

  test('begins anew when the key is resumed, also for what calls from before still cost', async () => {
    const { see } = engineWith([ruleOf(threshold(10n * DOLLAR))]);
    const at = (afterMs: number) => ({ timeMs: START_MS + afterMs });
    assert.equal((await see(opened('res_1', 10n * DOLLAR))).length, 1);
    const resumed = eventOf('key.resumed', { actor: 'key_admin', target: 'key_1', ...at(1_000) });
    assert.deepEqual(
      await see(resumed, settled('res_1', 30n * DOLLAR, at(2_000)), opened('res_2', 9n * DOLLAR, at(3_000))),
      [],
    );
    assert.equal((await see(opened('res_3', DOLLAR, at(4_000)))).length, 1);
  });

  test('counts once what could not be judged at first', async () => {
    let failures = 2;
    const baselineOf = () =>
      failures-- > 0
        ? Promise.reject(new Error('storage is away'))
        : Promise.resolve({ sum: 10n * DOLLAR, seconds: 60 });
    const rules = [
      ruleOf({ kind: 'spend_spike', multiplePercent: 100, minUsd: nanos(1n), windowS: 60 }),
      ruleOf(threshold(10n * DOLLAR)),
      ruleOf({ kind: 'first_seen_model' }),
    ];
    const known = { sinceMs: 0, calls: 0, values: [] };
    const { see } = engineWith(rules, { baselineOf, sightingsOf: () => Promise.resolve(known) });
    const first = opened('res_1', 6n * DOLLAR);
    await assert.rejects(see(first), /storage is away/);
    await assert.rejects(see(first), /storage is away/);
    assert.deepEqual(
      (await see(first)).map(({ rule }) => rule.when.kind),
      ['first_seen_model'],
    );
    assert.equal((await see(opened('res_2', 4n * DOLLAR - 1n))).length, 0);
    assert.equal((await see(opened('res_3', 1n))).length, 2);
  });

  test('counts once what could not be judged at first, also where another node goes on meanwhile', async () => {
    let failures = 1;
    const baselineOf = () =>
      failures-- > 0
        ? Promise.reject(new Error('storage is away'))
        : Promise.resolve({ sum: 10n * DOLLAR, seconds: 60 });
    const spike = { kind: 'spend_spike', multiplePercent: 100, minUsd: nanos(1n), windowS: 60 } as const;
    const { see } = engineWith([ruleOf(spike)], { baselineOf });
    const first = opened('res_1', 6n * DOLLAR);
    await assert.rejects(see(first), /storage is away/);
    assert.equal((await see(opened('res_2', 1n, { node: 2 }))).length, 0);
    assert.equal((await see(first)).length, 0);
    assert.equal((await see(opened('res_3', 4n * DOLLAR - 2n))).length, 0);
    assert.equal((await see(opened('res_4', 1n))).length, 1);
  });

  test('learns without a word what was judged before a restart', async () => {
    const { engine, see } = engineWith([ruleOf(threshold(10n * DOLLAR))]);
    const judged = await engine.observe(opened('res_1', 20n * DOLLAR), 'learn');
    assert.deepEqual(judged.findings, []);
    await see(settled('res_1', 9n * DOLLAR));
    assert.equal((await see(opened('res_2', DOLLAR))).length, 1);
  });
});

describe('a rule about a spike', () => {
  const spike = ruleOf({
    kind: 'spend_spike',
    multiplePercent: 1_050,
    minUsd: nanos(2n * DOLLAR),
    windowS: 60,
  });

  test('compares exactly with what is usual, and asks what that is only where it matters', async () => {
    // 0.5 dollars a minute; ten and a half times that is 5.25.
    const baselineOf = () => Promise.resolve({ sum: 30n * DOLLAR * 24n, seconds: 86_400 });
    const quiet = engineWith([spike]);
    assert.deepEqual(await quiet.see(opened('res_1', 2n * DOLLAR - 1n)), []);
    const { see } = engineWith([spike], { baselineOf });
    assert.deepEqual(await see(opened('res_1', 5_250_000_000n - 1n)), []);
    const [finding] = await see(opened('res_2', 1n));
    assert.deepEqual(finding?.measured, {
      spent_usd: '5.25',
      window_seconds: 60,
      limit_usd: '5.25',
      baseline_usd: '0.50',
    });
  });

  test('needs its least amount, also where nothing is usual', async () => {
    const { see } = engineWith([spike], { baselineOf: () => Promise.resolve({ sum: 0n, seconds: 86_400 }) });
    assert.deepEqual(await see(opened('res_1', 2n * DOLLAR - 1n)), []);
    assert.equal((await see(opened('res_2', 1n))).length, 1);
  });

  test('holds a key without a history to the floor', async () => {
    const floor = { sum: FLOOR_NANOS_PER_HOUR, seconds: 3_600 };
    const wide = ruleOf({ kind: 'spend_spike', multiplePercent: 500, minUsd: nanos(1n), windowS: 3_600 });
    const { see } = engineWith([wide], { baselineOf: () => Promise.resolve(floor) });
    assert.deepEqual(await see(opened('res_1', 5n * DOLLAR - 1n)), []);
    assert.equal((await see(opened('res_2', 1n))).length, 1);
  });
});

describe('a rule about what is seen for the first time', () => {
  const model = ruleOf({ kind: 'first_seen_model' });
  const network = ruleOf({ kind: 'first_seen_network' });
  const known = { sinceMs: START_MS - TEACHING_MS, calls: 0, values: ['openai/gpt', '192.0.2.0/24'] };

  test('fires once for a model and a network that are new, and not for those that are known', async () => {
    const { see } = engineWith([model, network], { sightingsOf: () => Promise.resolve(known) });
    assert.deepEqual(await see(opened('res_1', 0n)), []);
    const news = opened('res_2', 0n, { address: '192.0.3.1', detail: { model: 'o9' } });
    const found = await see(news, { ...news, target: 'res_3' });
    assert.deepEqual(
      found.map(({ measured, sighting }) => [measured, sighting?.value]),
      [
        [{ model: 'openai/o9' }, 'openai/o9'],
        [{ network: '192.0.3.0/24' }, '192.0.3.0/24'],
      ],
    );
  });

  test('is taught by the first calls of a key, within a day and a number of calls', async () => {
    const { engine, see } = engineWith([network]);
    const from = (part: number, timeMs = START_MS) =>
      opened(`res_${part}`, 0n, { address: `10.0.${part}.1`, timeMs });
    const taught = await engine.observe(from(0), 'judge');
    assert.deepEqual([taught.findings, taught.sightings.map(({ value }) => value)], [[], ['10.0.0.0/24']]);
    assert.deepEqual(await see(from(1)), []);
    for (let call = 2; call < TEACHING_CALLS; call++) assert.deepEqual(await see(from(1)), []);
    assert.equal((await see(from(2))).length, 1);

    const slow = engineWith([network]);
    assert.deepEqual(await slow.see(from(0), from(1, START_MS + TEACHING_MS - 1)), []);
    assert.equal((await slow.see(from(2, START_MS + TEACHING_MS))).length, 1);
  });

  test('remembers what is new within the pause, although it says nothing', async () => {
    const { engine } = engineWith([network], { sightingsOf: () => Promise.resolve(known) });
    const from = (part: number) => opened(`res_${part}`, 0n, { address: `10.0.${part}.1` });
    assert.equal((await engine.observe(from(0), 'judge')).findings.length, 1);
    const second = await engine.observe(from(1), 'judge');
    assert.deepEqual([second.findings.length, second.sightings.length], [0, 1]);
  });
});

describe('a rule about refusals', () => {
  const burst = ruleOf({ kind: 'denied_burst', count: 5, windowS: 60 });

  test('counts refusals of calls, of the management API and of strangers that name the key', async () => {
    const { see } = engineWith([burst]);
    const refused = (action: string, changes: Partial<StoredEvent>) =>
      eventOf(action, { decision: 'denied', ...changes });
    assert.deepEqual(
      await see(
        refused('call.refused', { target: 'call' }),
        refused('control.refused', { target: 'GET /v1/keys' }),
        refused('unauthenticated.refused', { actor: 'anonymous', target: 'key_1', detail: { count: 2 } }),
        refused('call.refused', { target: 'call', actor: 'key_2' }),
      ),
      [],
    );
    const [finding] = await see(refused('call.refused', { target: 'call' }));
    assert.deepEqual(finding?.measured, { refusals: 5, limit: 5, window_seconds: 60 });
  });

  test('does not count what is refused because a rule has suspended the key', async () => {
    const { see } = engineWith([burst]);
    const detail = { count: 100, code: 'key_suspended' };
    const event = eventOf('unauthenticated.refused', { actor: 'anonymous', target: 'key_1', detail });
    assert.deepEqual(await see(event), []);
  });
});

describe('a rule about events', () => {
  test('is about the key that was acted on, else the one that acted', async () => {
    const when = { kind: 'event', actions: ['key.created', 'credential.created'] } as const;
    const { see } = engineWith([ruleOf(when)]);
    const found = await see(
      eventOf('key.created', { actor: 'key_admin', target: 'key_new' }),
      eventOf('credential.created', { actor: 'key_admin', target: 'crd_1' }),
      eventOf('key.revoked', { actor: 'key_admin', target: 'key_new' }),
    );
    assert.deepEqual(
      found.map(({ subject }) => subject),
      ['key_new', 'key_admin'],
    );
  });

  test('may ask for a decision and an actor, and is never about firings', async () => {
    const when = {
      kind: 'event',
      actions: ['call.refused', 'alert.fired'],
      decision: 'denied',
      actor: 'key_1',
    } as const;
    const { see } = engineWith([ruleOf(when)]);
    assert.deepEqual(
      await see(
        eventOf('call.refused', { decision: 'denied', actor: 'key_2' }),
        eventOf('call.refused', { decision: 'allowed' }),
        eventOf('alert.fired', { decision: 'denied' }),
      ),
      [],
    );
    assert.equal((await see(eventOf('call.refused', { decision: 'denied' }))).length, 1);
  });

  test('of a project or of keys is about no others', async () => {
    const when = { kind: 'event', actions: ['key.created'] } as const;
    const created = eventOf('key.created', { actor: 'key_admin', target: 'key_1' });
    const scoped = (scope: Rule['scope'], id: string) =>
      engineWith([ruleOf(when, { scope, scopeIds: [id] })]);
    assert.equal((await scoped('project', 'prj_1').see(created)).length, 1);
    assert.equal((await scoped('project', 'prj_2').see(created)).length, 0);
    assert.equal((await scoped('key', 'key_1').see(created)).length, 1);
    assert.equal((await scoped('key', 'key_2').see(created)).length, 0);
  });
});
