import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body } from '../keyfold.ts';
import { auditEvents, chat, createKey, describeOnEachDatabase, rowsOf, textAt } from './support.ts';

const SECRET = 'sk-ant-0123456789abcdef';

describeOnEachDatabase('what the audit log tells', (keyfold) => {
  const newest = async (): Promise<Body> => (await auditEvents(keyfold(), 1))[0] ?? assert.fail();
  const detailOf = async (): Promise<Body> => (await newest())['detail'] as Body;

  test('a changed key: what it was before and what it is, and nothing that stayed', async () => {
    const key = await createKey(keyfold(), { name: 'a', models: ['sandbox/echo'] });
    const path = `/v1/keys/${textAt(key, 'id')}`;
    await keyfold().request('PATCH', path, {
      name: 'b',
      limits: { requests_per_minute: 5 },
      metadata: { team: 'red' },
      models: ['sandbox/echo'],
    });
    const detail = await detailOf();
    assert.deepEqual(detail['before'], {
      name: 'a',
      'limits.requests_per_minute': null,
      'metadata.team': null,
    });
    assert.deepEqual(detail['after'], { name: 'b', 'limits.requests_per_minute': 5, 'metadata.team': 'red' });
  });

  test('a changed budget and a changed route', async () => {
    const budget = { scope: 'organization', period: 'month' };
    await keyfold().request('PUT', '/v1/budgets', { ...budget, cap_usd: '1000' });
    await keyfold().request('PUT', '/v1/budgets', { ...budget, cap_usd: '2000', alert_percents: [50] });
    const set = await detailOf();
    assert.deepEqual(set['before'], { cap_usd: '1000.00', alert_percents: [] });
    assert.deepEqual(set['after'], { cap_usd: '2000.00', alert_percents: ['50'] });
    const route = await keyfold().request('POST', '/v1/routes', {
      name: 'mine',
      targets: [{ model: 'sandbox/echo' }],
    });
    await keyfold().request('PATCH', `/v1/routes/${textAt(route, 'id')}`, { name: 'ours' });
    const updated = await detailOf();
    assert.deepEqual([updated['before'], updated['after']], [{ name: 'mine' }, { name: 'ours' }]);
  });

  test("a credential's secret is told as a keyed hash, before and after, and nowhere in clear", async () => {
    const created = await keyfold().request('POST', '/v1/credentials', {
      provider: 'openai',
      name: 'told',
      secret: SECRET,
    });
    const path = `/v1/credentials/${textAt(created, 'id')}`;
    await keyfold().request('POST', `${path}/rotate`, { secret: `${SECRET}-new` });
    const first = await detailOf();
    await keyfold().request('POST', `${path}/rotate`, { secret: SECRET });
    const second = await detailOf();
    const [was, is] = [first['before'] as Body, first['after'] as Body];
    assert.match(textAt(was, 'secret'), /^hmac:[\w-]{43}$/);
    assert.notEqual(was['secret'], is['secret']);
    assert.deepEqual([second['before'], second['after']], [is, was]);
    const stored = rowsOf(await keyfold().request('GET', '/v1/audit/events?limit=100'));
    assert.ok(!JSON.stringify(stored).includes('0123456789abcdef'));
  });

  test('a secret that somebody wrote into a name or into metadata stands there as its keyed hash', async () => {
    await keyfold().request('POST', '/v1/projects', { name: `for ${SECRET}` });
    const byName = textAt(await detailOf(), 'name');
    assert.match(byName, /^for hmac:[\w-]{43}$/);
    const key = await createKey(keyfold());
    await keyfold().request('PATCH', `/v1/keys/${textAt(key, 'id')}`, { metadata: { note: SECRET } });
    const after = (await detailOf())['after'] as Body;
    assert.equal(`for ${textAt(after, 'metadata.note')}`, byName, 'one secret has one hash');
  });

  test('where each change, call and refusal came from', async () => {
    const key = await createKey(keyfold());
    assert.equal((await newest())['address'], '127.0.0.1');
    const called = await chat(keyfold(), textAt(key, 'api_key'));
    const refused = await chat(keyfold(), textAt(key, 'api_key'), 'no-such-model');
    const forbidden = await keyfold().request('GET', '/v1/projects', undefined, {
      key: textAt(key, 'api_key'),
    });
    const events = await auditEvents(keyfold());
    for (const [answer, action] of [
      [called, 'call.opened'],
      [refused, 'call.refused'],
      [forbidden, 'control.refused'],
    ] as const) {
      const id = answer.headers.get('x-request-id');
      const event = events.find((each) => each['request_id'] === id && each['action'] === action);
      assert.equal(event?.['address'], '127.0.0.1', action);
    }
  });

  test('a settled call: model, tokens, cost, how long it took and which attempt it was; never what was said', async () => {
    const key = await createKey(keyfold());
    const answer = await chat(keyfold(), textAt(key, 'api_key'));
    const events = await auditEvents(keyfold());
    const id = answer.headers.get('x-request-id');
    const settled = events.find((each) => each['request_id'] === id && each['action'] === 'call.settled');
    const detail = settled?.['detail'] as Body;
    assert.equal(detail['model'], 'echo');
    assert.equal(detail['attempt'], 1);
    assert.ok(Number(detail['duration_ms']) >= 0);
    assert.ok(Number(detail['input_tokens']) > 0 && Number(detail['output_tokens']) > 0);
    assert.match(textAt(settled ?? {}, 'cost_usd'), /^\d+\.\d+$/);
  });
});
