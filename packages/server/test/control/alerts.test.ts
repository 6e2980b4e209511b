import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startReceiver } from '../alerts/receiver.ts';
import {
  assertProblem,
  chat,
  createAdmin,
  createKey,
  describeOnEachDatabase,
  findEvent,
  rowsOf,
  textAt,
} from './support.ts';

const THRESHOLD = { kind: 'spend_threshold', usd: '5', window_seconds: 60 };
const CREATED = { kind: 'event', actions: ['project.created'] };

describeOnEachDatabase('the API of alerts', (keyfold) => {
  const makeRule = async (body: object) => {
    const answer = await keyfold().request('POST', '/v1/alerts/rules', body);
    assert.equal(answer.status, 201, answer.text);
    return answer.body;
  };

  test('a rule is made, listed, shown, changed and deleted, each recorded', async () => {
    const made = await makeRule({ name: 'threshold', when: THRESHOLD });
    assert.partialDeepStrictEqual(made, {
      object: 'alert_rule',
      scope: 'organization',
      scope_ids: [],
      when: { ...THRESHOLD, usd: '5.00' },
      action: { kind: 'none' },
      cooldown_seconds: 3_600,
      enabled: true,
    });
    const path = `/v1/alerts/rules/${textAt(made, 'id')}`;
    const throttle = { kind: 'throttle', requests_per_minute: 6 };
    const changed = await keyfold().request('PATCH', path, { action: throttle, enabled: false });
    assert.partialDeepStrictEqual(changed.body, { action: throttle, enabled: false, name: 'threshold' });
    assert.deepEqual((await keyfold().request('GET', path)).body, changed.body);
    assert.deepEqual(rowsOf(await keyfold().request('GET', '/v1/alerts/rules')), [changed.body]);
    assert.equal((await keyfold().request('GET', path, undefined, keyfold().strangerKey)).status, 404);
    assert.equal((await keyfold().request('DELETE', path, undefined, keyfold().strangerKey)).status, 404);
    assert.equal((await keyfold().request('DELETE', path)).status, 204);
    assertProblem(await keyfold().request('DELETE', path), { status: 404, code: 'not_found' });
    const target = textAt(made, 'id');
    const created = await findEvent(keyfold(), { action: 'alert_rule.created', target });
    assert.partialDeepStrictEqual(created['detail'], { kind: 'spend_threshold', webhook_ids: [] });
    const updated = await findEvent(keyfold(), { action: 'alert_rule.updated', target });
    assert.deepEqual(updated['detail'], {
      before: { 'action.kind': 'none', 'action.requests_per_minute': null, enabled: true },
      after: { 'action.kind': 'throttle', 'action.requests_per_minute': 6, enabled: false },
    });
    const deleted = await findEvent(keyfold(), { action: 'alert_rule.deleted', target });
    assert.partialDeepStrictEqual(deleted['detail'], { name: 'threshold', enabled: false });
  });

  test('what a rule names must be there, and within its bounds', async () => {
    const cases: readonly [object, number, string][] = [
      [{ when: { ...THRESHOLD, window_seconds: 1 } }, 400, 'when.window_seconds'],
      [{ when: { ...THRESHOLD, usd: '0' } }, 400, 'when.usd'],
      [{ when: { kind: 'event', actions: ['alert.fired'] } }, 400, 'when.actions.0'],
      [{ when: THRESHOLD, scope: 'key' }, 400, 'scope_ids'],
      [{ when: THRESHOLD, scope: 'key', scope_ids: ['key_none'] }, 404, 'scope_ids'],
      [{ when: THRESHOLD, scope_ids: ['key_none'] }, 400, 'scope_ids'],
      [{ when: THRESHOLD, webhook_ids: ['whk_none'] }, 404, 'webhook_ids'],
      [{ when: THRESHOLD, cooldown_seconds: 1 }, 400, 'cooldown_seconds'],
      [{ when: { ...THRESHOLD, multiple: 3 } }, 400, 'when.multiple'],
    ];
    for (const [body, status, param] of cases) {
      const answer = await keyfold().request('POST', '/v1/alerts/rules', { name: 'wrong', ...body });
      assert.equal(answer.status, status, answer.text);
      assert.equal(answer.body['param'], param, answer.text);
    }
  });

  test('only who may read or write alerts does', async () => {
    const reader = await createAdmin(keyfold(), 'alerts:read');
    for (const path of ['/v1/alerts/rules', '/v1/alerts/firings', '/v1/alerts/deliveries', '/v1/webhooks'])
      assert.equal((await keyfold().request('GET', path, undefined, reader)).status, 200);
    const body = { name: 'r', when: THRESHOLD };
    assert.equal((await keyfold().request('POST', '/v1/alerts/rules', body, reader)).status, 403);
    const other = await createAdmin(keyfold(), 'keys:read');
    assert.equal((await keyfold().request('GET', '/v1/alerts/rules', undefined, other)).status, 403);
  });

  test("a webhook's secret is told once and stored sealed, its URL is judged", async () => {
    const path = '/v1/webhooks';
    for (const url of [
      'http://example.org/x',
      'https://10.0.0.1/',
      'https://u@example.org/',
      'https://x.org/?a=1',
    ]) {
      const refused = await keyfold().request('POST', path, { name: 'n', url });
      assertProblem(refused, { status: 400, code: 'invalid_request', param: 'url' });
      assert.doesNotMatch(refused.text, /base_url|allow_networks/);
    }
    const made = await keyfold().request('POST', path, { name: 'pager', url: 'https://example.org/hooks' });
    assert.equal(made.status, 201);
    const secret = textAt(made, 'secret');
    assert.match(secret, /^whsec_/);
    const event = await findEvent(keyfold(), { action: 'webhook.created', target: textAt(made, 'id') });
    assert.partialDeepStrictEqual(event['detail'], { name: 'pager', origin: 'https://example.org' });
    const one = `${path}/${textAt(made, 'id')}`;
    await keyfold().request('PATCH', one, { url: 'https://example.org/elsewhere' });
    const moved = await findEvent(keyfold(), { action: 'webhook.updated', target: textAt(made, 'id') });
    const { before, after } = moved['detail'] as Record<string, Record<string, unknown>>;
    assert.match(String(before?.['url']), /^hmac:/);
    assert.notEqual(after?.['url'], before?.['url'], 'another path is another receiver');
    assert.doesNotMatch(JSON.stringify(moved), /elsewhere|hooks/);
    assert.ok(!(await keyfold().request('GET', one)).text.includes(secret));
    const rotated = await keyfold().request('POST', `${one}/rotate`);
    assert.notEqual(textAt(rotated, 'secret'), secret);
    assert.notEqual(rotated.body['previous_secret_until'], null);
    const stored = await keyfold().readStored();
    for (const told of [secret, textAt(rotated, 'secret')]) assert.ok(!stored.includes(told.slice(6)));

    const rule = await makeRule({ name: 'tells', when: CREATED, webhook_ids: [textAt(made, 'id')] });
    assertProblem(await keyfold().request('DELETE', one), { status: 409, code: 'conflict' });
    await keyfold().request('DELETE', `/v1/alerts/rules/${textAt(rule, 'id')}`);
    assert.equal((await keyfold().request('DELETE', one)).status, 204);
  });

  test('a key that is throttled has the lower of both limits, with its children, until it is resumed', async () => {
    const key = await createKey(keyfold(), {
      kind: 'test',
      limits: { requests_per_minute: 100 },
      metadata: { for: 'alerts' },
    });
    const id = textAt(key, 'id');
    const secret = textAt(key, 'api_key');
    const child = await keyfold().request('POST', '/v1/keys/self/children', { ttl_seconds: 600 }, secret);
    assert.equal(child.status, 201, child.text);
    await makeRule({
      name: 'slow down',
      scope: 'key',
      scope_ids: [id],
      when: { kind: 'event', actions: ['call.settled'] },
      action: { kind: 'throttle', requests_per_minute: 2 },
    });
    assert.equal((await chat(keyfold(), secret)).status, 200);
    await until(async () => (await keyfold().request('GET', `/v1/keys/${id}`)).body['breaker'] !== null);
    const shown = await keyfold().request('GET', `/v1/keys/${id}`);
    assert.partialDeepStrictEqual(shown.body, { breaker: { state: 'throttled', requests_per_minute: 2 } });
    const statuses = [];
    for (let call = 0; call < 4; call++)
      statuses.push((await chat(keyfold(), textAt(child, 'api_key'))).status);
    assert.ok(statuses.includes(429), String(statuses));
    const resumed = await keyfold().request('POST', `/v1/keys/${id}/resume`);
    assert.equal(resumed.body['breaker'], null);
    const event = await findEvent(keyfold(), { action: 'key.resumed', target: id });
    assert.partialDeepStrictEqual(event['detail'], {
      before: { state: 'throttled', requests_per_minute: 2 },
    });
    const again = await keyfold().request('POST', `/v1/keys/${id}/resume`);
    assertProblem(again, { status: 409, code: 'conflict' });
    const firings = rowsOf(await keyfold().request('GET', `/v1/alerts/firings?subject=${id}`));
    assert.notEqual(firings[0]?.['cleared_at'], null);
    assert.deepEqual(
      rowsOf(await keyfold().request('GET', '/v1/alerts/firings', undefined, keyfold().strangerKey)),
      [],
    );
  });

  test('a key that is suspended is refused with 403, as is its child, and both say why', async () => {
    const key = await createKey(keyfold(), { kind: 'test' });
    const id = textAt(key, 'id');
    const secret = textAt(key, 'api_key');
    const child = await keyfold().request('POST', '/v1/keys/self/children', { ttl_seconds: 600 }, secret);
    await makeRule({
      name: 'stop',
      scope: 'key',
      scope_ids: [id],
      when: { kind: 'event', actions: ['call.settled'] },
      action: { kind: 'suspend' },
    });
    await chat(keyfold(), secret);
    await until(async () => (await chat(keyfold(), secret)).status === 403);
    for (const each of [secret, textAt(child, 'api_key')]) {
      const refused = await chat(keyfold(), each);
      assert.equal(refused.status, 403);
      assert.match(refused.text, /key_suspended/);
    }
    const verified = await keyfold().request('POST', '/v1/keys/verify', { key: secret });
    assert.partialDeepStrictEqual(verified.body, { valid: false, code: 'key_suspended' });
  });

  test('a webhook may be private only where the operator has said so', async () => {
    await using receiver = await startReceiver();
    const made = await keyfold().request('POST', '/v1/webhooks', { name: 'here', url: receiver.url });
    assertProblem(made, { status: 400, code: 'invalid_request', param: 'url' });
    assert.match(made.text, /webhook_networks/);
  });
});

/** The rules are judged by a job of the server: it is asked until it has. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < 2_000; round++) if (await holds()) return;
  assert.fail('it did not happen');
}
