import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rowsOf, textAt } from '../control/support.ts';
import type { Answer, Body } from '../keyfold.ts';
import {
  type Gateway,
  type IssuedKey,
  addModel,
  assertRefused,
  budgetsOf,
  call,
  chatBody,
  describeGateway,
  issueKey,
} from './support.ts';

const CALLS = 1_000;
const AFFORDABLE = 50;
/** 100 output tokens at 1,000 dollars a million are ten cents, in the estimate and on the bill; input is free. */
const TEN_CENTS = { name: 'ten-cents', input: '0', output: '1000' };
const OUTPUT_TOKENS = 100;
const BODY = chatBody({ model: TEN_CENTS.name, max_tokens: OUTPUT_TOKENS });

describeGateway('a budget of 5.00 dollars and 1,000 calls at once of 0.10 each', {}, (gateway) => {
  let hasModel = false;
  const prepare = async (key: object) => {
    if (!hasModel) await addModel(gateway(), TEN_CENTS);
    hasModel = true;
    gateway().provider.behave({ kind: 'ok', tokens: { input: 10, output: OUTPUT_TOKENS } });
    return issueKey(gateway(), key);
  };

  test('on the key: 50 reach the provider, the ledger says 5.00 everywhere, all others are refused with 402', async () => {
    const key = await prepare({ budgets: { total_usd: '5.00' }, rate_limit: 100_000 });
    const outcome = await callAtOnce(gateway(), key);
    assert.deepEqual(outcome, { ok: AFFORDABLE, refused: CALLS - AFFORDABLE, reached: AFFORDABLE });

    const [seenByKey] = await budgetsOf(gateway(), key);
    assertSpent(seenByKey, '5.00');
    const [seenByAdmin] = rowsOf(
      await gateway().keyfold.request('GET', `/v1/budgets?scope=key&scope_id=${key.id}`),
    );
    assertSpent(seenByAdmin, '5.00');
    const usage = rowsOf(await gateway().keyfold.request('GET', `/v1/usage?key_id=${key.id}&group_by=key`));
    assert.equal(usage.length, 1, JSON.stringify(usage));
    assert.deepEqual([usage[0]?.['calls'], usage[0]?.['cost_usd']], [AFFORDABLE, '5.00']);
    const calls = rowsOf(await gateway().keyfold.request('GET', `/v1/calls?key_id=${key.id}&limit=100`));
    assert.equal(calls.length, AFFORDABLE);
    for (const row of calls) {
      assert.deepEqual([row['cost_usd'], row['held_usd'], row['outcome']], ['0.10', '0.10', 'settlement']);
    }
    const validated = await gateway().keyfold.request('GET', '/v1/keys/validate', undefined, {
      key: key.secret,
    });
    assert.deepEqual([validated.status, validated.body['remaining_quota']], [200, 0]);
  });

  for (const scope of ['project', 'organization'] as const) {
    test(`on the ${scope}, shared by two keys: 50 reach the provider`, async () => {
      const { body: project } = await gateway().keyfold.request('POST', '/v1/projects', {
        name: `of ${scope}`,
      });
      const keys = [
        await prepare({ project_id: project['id'] }),
        await prepare({ project_id: project['id'], budgets: { total_usd: '100.00' } }),
      ];
      const scopeId = scope === 'project' ? { scope_id: project['id'] } : {};
      const set = await gateway().keyfold.request('PUT', '/v1/budgets', {
        scope,
        ...scopeId,
        period: 'total',
        cap_usd: '5.00',
      });
      assert.equal(set.status, 200, set.text);
      const outcomes = await Promise.all(
        keys.map((key) => callAtOnce(gateway(), key, { count: CALLS / 2, scope })),
      );
      assert.equal(outcomes[0]?.reached, AFFORDABLE);
      assert.equal((outcomes[0]?.ok ?? 0) + (outcomes[1]?.ok ?? 0), AFFORDABLE);
      const budgets = rowsOf(await gateway().keyfold.request('GET', '/v1/budgets'));
      assertSpent(
        budgets.find((budget) => budget['id'] === set.body['id']),
        '5.00',
      );
      const removed = await gateway().keyfold.request('DELETE', `/v1/budgets/${String(set.body['id'])}`);
      assert.equal(removed.status, 204);
    });
  }

  test('a call that one of its budgets refuses holds nothing on the others', async () => {
    const key = await prepare({ budgets: { per_day_usd: '50', per_month_usd: '0.05', total_usd: '50' } });
    const answer = await call(gateway(), key.secret, BODY);
    const error = assertRefused(answer, { status: 402, code: 'budget_exhausted' });
    assert.deepEqual([error['scope'], error['period'], error['cap_usd']], ['key', 'month', '0.05']);
    const nextMonth = new Date();
    nextMonth.setUTCMonth(nextMonth.getUTCMonth() + 1, 1);
    nextMonth.setUTCHours(0, 0, 0, 0);
    assert.equal(error['resets_at'], nextMonth.toISOString());
    for (const budget of await budgetsOf(gateway(), key)) {
      assert.deepEqual([Number(budget['posted_usd']), Number(budget['held_usd'])], [0, 0]);
    }
  });

  for (const exhausted of ['key', 'parent', 'project', 'organization'] as const) {
    test(`a call under budgets of four scopes whose ${exhausted} has no room holds nothing on the others`, async () => {
      const keyfold = gateway().keyfold;
      const { body: project } = await keyfold.request('POST', '/v1/projects', { name: `full ${exhausted}` });
      const capOf = (scope: string) => (scope === exhausted ? '0.05' : '50');
      const parent = await prepare({
        project_id: project['id'],
        budgets: { total_usd: capOf('parent') },
      });
      const born = await keyfold.request(
        'POST',
        '/v1/keys/self/children',
        { budgets: { total_usd: capOf('key') } },
        parent.secret,
      );
      assert.equal(born.status, 201, born.text);
      const child = { id: textAt(born, 'id'), secret: textAt(born, 'api_key') };
      const set: string[] = [];
      for (const scope of ['project', 'organization']) {
        const of = scope === 'project' ? { scope_id: project['id'] } : {};
        const budget = { scope, ...of, period: 'total', cap_usd: capOf(scope) };
        set.push(textAt(await keyfold.request('PUT', '/v1/budgets', budget), 'id'));
      }
      const before = gateway().provider.calls.length;
      const error = assertRefused(await call(gateway(), child.secret, BODY), {
        status: 402,
        code: 'budget_exhausted',
      });
      assert.equal(error['scope'], exhausted === 'parent' ? 'key' : exhausted);
      assert.equal(gateway().provider.calls.length, before);
      const scopes = [child.id, parent.id, ...set];
      const budgets = rowsOf(await keyfold.request('GET', '/v1/budgets?limit=100')).filter(
        ({ id, scope_id: scopeId }) => scopes.includes(String(id)) || scopes.includes(String(scopeId)),
      );
      assert.equal(budgets.length, 4, JSON.stringify(budgets));
      for (const budget of budgets)
        assert.deepEqual([Number(budget['posted_usd']), Number(budget['held_usd'])], [0, 0]);
      for (const id of set) assert.equal((await keyfold.request('DELETE', `/v1/budgets/${id}`)).status, 204);
    });
  }

  test('nested budgets of 2, 3 and 5 dollars on key, project and organization are each spent to the cent', async () => {
    const keyfold = gateway().keyfold;
    const [inner, outer] = [await addProject(gateway(), 'inner'), await addProject(gateway(), 'outer')];
    const capped = await prepare({ project_id: inner, budgets: { total_usd: '2.00' } });
    const beside = await prepare({ project_id: inner });
    const outside = await prepare({ project_id: outer });
    const project = { scope: 'project', scope_id: inner, period: 'total', cap_usd: '3.00' };
    const organization = { scope: 'organization', period: 'total', cap_usd: '5.00' };
    const ids = [
      textAt(await keyfold.request('PUT', '/v1/budgets', project), 'id'),
      textAt(await keyfold.request('PUT', '/v1/budgets', organization), 'id'),
    ];
    // Of the thousand, 970 want what 20 can have; the others are as many as have room beside these.
    const secrets = [
      ...Array.from({ length: 970 }, () => capped.secret),
      ...Array.from({ length: 10 }, () => beside.secret),
      ...Array.from({ length: 20 }, () => outside.secret),
    ];
    const before = gateway().provider.calls.length;
    const answers = await Promise.all(
      secrets.map(async (secret) => ({ secret, answer: await call(gateway(), secret, BODY) })),
    );
    const countOf = (wanted: string) =>
      answers.filter(({ secret, answer }) => secret === wanted && answer.status === 200).length;
    assert.deepEqual(
      [capped, beside, outside].map(({ secret }) => countOf(secret)),
      [20, 10, 20],
    );
    assert.ok(answers.every(({ answer }) => answer.status === 200 || answer.status === 402));
    assert.equal(gateway().provider.calls.length, before + 50);
    const budgets = rowsOf(await keyfold.request('GET', '/v1/budgets?limit=100'));
    const spentBy = (id: string) =>
      budgets.find((budget) => budget['id'] === id || budget['scope_id'] === id);
    assertSpent(spentBy(capped.id), '2.00');
    for (const [index, usd] of ['3.00', '5.00'].entries()) assertSpent(spentBy(ids[index] ?? ''), usd);
    for (const id of ids) assert.equal((await keyfold.request('DELETE', `/v1/budgets/${id}`)).status, 204);
  });

  test('calls that a budget refuses use up nothing of the rate limits', async () => {
    const limits = { requests_per_minute: CALLS, tokens_per_minute: 1_000_000, concurrent_requests: CALLS };
    const key = await prepare({ budgets: { total_usd: '5.00' }, limits });
    const outcome = await callAtOnce(gateway(), key);
    assert.deepEqual(outcome, { ok: AFFORDABLE, refused: CALLS - AFFORDABLE, reached: AFFORDABLE });
    const usage = await gateway().keyfold.request('GET', '/v1/usage/current', undefined, { key: key.secret });
    const requests = usage.body['requests_this_minute'] as { used: number };
    const tokens = usage.body['tokens_this_minute'] as { used: number };
    assert.ok(requests.used <= AFFORDABLE, usage.text);
    assert.ok(tokens.used <= AFFORDABLE * (OUTPUT_TOKENS + 10), usage.text);
    const raised = await gateway().keyfold.request('PATCH', `/v1/keys/${key.id}`, {
      budgets: { total_usd: '5.10' },
    });
    assert.equal(raised.status, 200, raised.text);
    assert.equal((await call(gateway(), key.secret, BODY)).status, 200);
    assert.equal((await call(gateway(), key.secret, BODY)).status, 402);
  });

  test('a test key costs nothing, whatever model it names and whatever budget is exhausted', async () => {
    const key = await prepare({ kind: 'test', budgets: { total_usd: '0.01' } });
    const before = gateway().provider.calls.length;
    for (const model of [TEN_CENTS.name, 'sandbox/echo', 'gpt-4.1']) {
      const answer = await call(gateway(), key.secret, chatBody({ model, max_tokens: 1_000_000 }));
      assert.equal(answer.status, 200, answer.text);
      assert.equal(Number(answer.headers.get('x-keyfold-cost-usd')), 0);
    }
    assert.equal(gateway().provider.calls.length, before);
    const [budget] = await budgetsOf(gateway(), key);
    assert.deepEqual([Number(budget?.['posted_usd']), Number(budget?.['held_usd'])], [0, 0]);
    for (const row of rowsOf(await gateway().keyfold.request('GET', `/v1/calls?key_id=${key.id}`))) {
      assert.deepEqual([row['provider'], Number(row['cost_usd'])], ['sandbox', 0]);
    }
  });
});

async function callAtOnce(
  gateway: Gateway,
  key: IssuedKey,
  { count = CALLS, scope = 'key' }: { readonly count?: number; readonly scope?: string } = {},
) {
  const before = gateway.provider.calls.length;
  const answers: Answer[] = await Promise.all(
    Array.from({ length: count }, () => call(gateway, key.secret, BODY)),
  );
  const refused = answers.filter(({ status }) => status !== 200);
  for (const answer of refused) {
    const error = assertRefused(answer, { status: 402, code: 'budget_exhausted' });
    assert.equal(error['scope'], scope);
    assert.equal(answer.headers.get('x-should-retry'), 'false');
  }
  return {
    ok: answers.length - refused.length,
    refused: refused.length,
    reached: gateway.provider.calls.length - before,
  };
}

async function addProject({ keyfold }: Gateway, name: string): Promise<string> {
  return textAt(await keyfold.request('POST', '/v1/projects', { name }), 'id');
}

function assertSpent(budget: Body | undefined, usd: string): void {
  assert.ok(budget);
  assert.equal(budget['cap_usd'], usd);
  assert.equal(budget['posted_usd'], usd, JSON.stringify(budget));
  assert.deepEqual([Number(budget['held_usd']), Number(budget['remaining_usd'])], [0, 0]);
}
