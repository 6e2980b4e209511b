import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  addModel,
  assertNothingHeld,
  assertRefused,
  budgetsOf,
  call,
  callsOf,
  chatBody,
  describeGateway,
  issueKey,
  until,
} from './support.ts';

/** 100 output tokens at 1,000 dollars a million are ten cents; input is free. */
const TEN_CENTS = { name: 'ten-cents', input: '0', output: '1000' };
const BODY = chatBody({ model: TEN_CENTS.name, max_tokens: 100 });
const MEASURED = { policy: 'measured', multiple: 2.5, floor_usd: '0.001' };

describeGateway('how much a call holds and asks for', {}, (gateway) => {
  let isPriced = false;
  const prepare = async (body: object) => {
    if (!isPriced) await addModel(gateway(), TEN_CENTS);
    isPriced = true;
    gateway().provider.behave({ kind: 'ok', tokens: { input: 10, output: 10 } });
    return issueKey(gateway(), body);
  };
  const callMany = async (secret: string, count: number) => {
    for (let each = 0; each < count; each++) assert.equal((await call(gateway(), secret, BODY)).status, 200);
  };
  const newest = async (key: Parameters<typeof callsOf>[1], count: number) =>
    until(async () => {
      const rows = await callsOf(gateway(), key);
      return rows.length === count ? rows[0] : undefined;
    });

  test('by measure: twenty calls hold the worst case, later ones a multiple of what those cost', async () => {
    const key = await prepare({ budgets: { total_usd: '10' }, estimate: MEASURED });
    await callMany(key.secret, 20);
    assert.equal((await newest(key, 20))['held_usd'], '0.10');
    await callMany(key.secret, 1);
    assert.equal((await newest(key, 21))['held_usd'], '0.025');
    const [state] = await budgetsOf(gateway(), key);
    assert.deepEqual([state?.['posted_usd'], state?.['held_usd']], ['0.21', '0.00']);
  });

  test('by measure: what costs more than it held is posted in full, and what nobody knows at the worst case', async () => {
    const key = await prepare({ budgets: { total_usd: '10' }, estimate: MEASURED });
    await callMany(key.secret, 20);
    gateway().provider.script({ kind: 'ok', tokens: { input: 10, output: 90 } }, { kind: 'no-usage' });
    await callMany(key.secret, 1);
    const over = await newest(key, 21);
    assert.deepEqual([over['held_usd'], over['cost_usd'], over['flags']], ['0.025', '0.09', ['overrun']]);
    await callMany(key.secret, 1);
    const unknown = await newest(key, 22);
    assert.equal(unknown['cost_usd'], '0.10');
    assert.deepEqual(unknown['flags'], ['usage_missing', 'estimated', 'overrun']);
    await assertNothingHeld(gateway(), key);
  });

  test("a child's calls are held by its parent's policy, and a policy can be taken back", async () => {
    const key = await prepare({ budgets: { total_usd: '10' }, estimate: MEASURED });
    await callMany(key.secret, 20);
    const child = await gateway().keyfold.request('POST', '/v1/keys/self/children', {}, { key: key.secret });
    assert.equal(child.status, 201, child.text);
    const ofChild = { id: String(child.body['id']), secret: String(child.body['api_key']) };
    await callMany(ofChild.secret, 1);
    assert.equal((await newest(ofChild, 1))['held_usd'], '0.025');
    const path = `/v1/keys/${key.id}`;
    const changed = await gateway().keyfold.request('PATCH', path, { estimate: { policy: 'worst_case' } });
    assert.deepEqual(changed.body['estimate'], { policy: 'worst_case' }, changed.text);
    await callMany(ofChild.secret, 1);
    assert.equal((await newest(ofChild, 2))['held_usd'], '0.10');
  });

  test('a policy that makes no sense is refused by the field', async () => {
    const bad = [
      [{ policy: 'guess' }, 'estimate.policy'],
      [{ policy: 'measured' }, 'estimate.multiple'],
      [{ policy: 'measured', multiple: 0.99 }, 'estimate.multiple'],
      [{ policy: 'measured', multiple: 101 }, 'estimate.multiple'],
      [{ policy: 'measured', multiple: 1.234 }, 'estimate.multiple'],
      [{ policy: 'measured', multiple: 2, floor_usd: '-1' }, 'estimate.floor_usd'],
      [{ policy: 'measured', multiple: 2, floor_usd: '1e309' }, 'estimate.floor_usd'],
      [{ policy: 'worst_case', multiple: 2 }, 'estimate.multiple'],
    ] as const;
    for (const [estimate, param] of bad) {
      const answer = await gateway().keyfold.request('POST', '/v1/keys', { permissions: ['chat'], estimate });
      assert.deepEqual([answer.status, answer.body['param']], [400, param], answer.text);
    }
  });

  test('clamped: a call that its budget has no room for asks for as much output as the rest buys, and says so', async () => {
    const key = await prepare({ budgets: { total_usd: '0.05', per_day_usd: '1' }, clamp_output: true });
    const ask = () =>
      gateway().keyfold.request('POST', '/v1/chat/completions', BODY, {
        key: key.secret,
        headers: { 'idempotency-key': 'clamped' },
      });
    const answer = await ask();
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.headers.get('x-keyfold-max-tokens'), '50');
    const again = await ask();
    assert.equal(again.headers.get('idempotent-replayed'), 'true', again.text);
    assert.equal(again.headers.get('x-keyfold-max-tokens'), '50');
    assert.equal(gateway().provider.calls.at(-1)?.body['max_tokens'], 50);
    const row = await newest(key, 1);
    assert.deepEqual([row['held_usd'], row['cost_usd'], row['flags']], ['0.05', '0.01', ['output_clamped']]);
    const unlimited = await call(
      gateway(),
      key.secret,
      chatBody({ model: TEN_CENTS.name, max_tokens: null }),
    );
    assert.equal(unlimited.status, 200, unlimited.text);
    assert.equal(unlimited.headers.get('x-keyfold-max-tokens'), '40');
    assert.equal(gateway().provider.calls.at(-1)?.body['max_tokens'], 40);
    const choices = await call(gateway(), key.secret, { ...BODY, n: 2, max_tokens: 20 });
    assert.equal(choices.status, 402, choices.text);
  });

  test('clamped: nothing is cut where all of it fits, nor without being asked to, nor to less than sixteen tokens', async () => {
    const plain = await prepare({ budgets: { total_usd: '0.05' } });
    assertRefused(await call(gateway(), plain.secret, BODY), { status: 402, code: 'budget_exhausted' });
    const poor = await prepare({ budgets: { total_usd: '0.015' }, clamp_output: true });
    assertRefused(await call(gateway(), poor.secret, BODY), { status: 402, code: 'budget_exhausted' });
    const rich = await prepare({ budgets: { total_usd: '0.10' }, clamp_output: true });
    const answer = await call(gateway(), rich.secret, BODY);
    assert.deepEqual([answer.status, answer.headers.get('x-keyfold-max-tokens')], [200, null]);
  });
});
