import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { rowsOf, textAt } from '../control/support.ts';
import type { Behaviour } from '../mock-provider.ts';
import { type Routed, describeRouted } from './routed.ts';
import { assertNothingHeld, auditOf, callsOf, issueKey, until } from './support.ts';

const ROLE_CHUNK = `data: ${JSON.stringify({
  id: 'c',
  object: 'chat.completion.chunk',
  model: 'm',
  choices: [{ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null }],
})}\n\n`;

/** Ways in which a first target fails before the client has had a byte. `stream` where only a stream can. */
const FAILURES: readonly {
  readonly name: string;
  readonly behaviour: Behaviour | 'refused';
  readonly streamed: boolean;
  /** What the failed attempt costs: nothing was generated, or nobody knows. */
  readonly charge: 'nothing' | 'hold';
}[] = [
  { name: 'refuses connections', behaviour: 'refused', streamed: false, charge: 'nothing' },
  { name: 'breaks the connection', behaviour: { kind: 'reset' }, streamed: false, charge: 'hold' },
  { name: 'answers 429', behaviour: { kind: 'status', status: 429 }, streamed: false, charge: 'nothing' },
  { name: 'answers 500', behaviour: { kind: 'status', status: 500 }, streamed: false, charge: 'nothing' },
  { name: 'answers 503', behaviour: { kind: 'status', status: 503 }, streamed: true, charge: 'nothing' },
  { name: 'answers 408', behaviour: { kind: 'status', status: 408 }, streamed: false, charge: 'hold' },
  { name: 'is slow to answer', behaviour: { kind: 'hang' }, streamed: false, charge: 'hold' },
  {
    name: 'is slow with its first token',
    behaviour: { kind: 'raw-stream', pieces: [ROLE_CHUNK], ending: 'silence' },
    streamed: true,
    charge: 'hold',
  },
  { name: 'answers HTML', behaviour: { kind: 'html' }, streamed: false, charge: 'hold' },
  { name: 'answers broken JSON', behaviour: { kind: 'garbage' }, streamed: false, charge: 'hold' },
  {
    name: 'breaks off before its first token',
    behaviour: { kind: 'raw-stream', pieces: [ROLE_CHUNK, 'data: {"id":"half'], ending: 'reset' },
    streamed: true,
    charge: 'hold',
  },
  {
    name: 'streams an error before its first token',
    behaviour: {
      kind: 'raw-stream',
      pieces: [ROLE_CHUNK, 'data: {"error":{"message":"no"}}\n\n'],
      ending: 'end',
    },
    streamed: true,
    charge: 'hold',
  },
  {
    name: 'ends its stream before its first token',
    behaviour: { kind: 'raw-stream', pieces: [ROLE_CHUNK], ending: 'end' },
    streamed: true,
    charge: 'hold',
  },
];

describeRouted('routes', (routed) => {
  const ask = (...of: Parameters<Routed['ask']>) => routed().ask(...of);
  const addCredential = (...of: Parameters<Routed['addCredential']>) => routed().addCredential(...of);
  const addRoute = (...of: Parameters<Routed['addRoute']>) => routed().addRoute(...of);
  const addPair = (...of: Parameters<Routed['addPair']>) => routed().addPair(...of);
  for (const [index, failure] of FAILURES.entries()) {
    test(`a call succeeds at the second target when the first ${failure.name}`, async () => {
      const name = `fails-${index}`;
      const { behaviour } = failure;
      const closed = behaviour === 'refused' ? await closedPort() : undefined;
      await addPair(name, {
        ...(closed === undefined ? {} : { firstUrl: `http://127.0.0.1:${closed}/v1` }),
        retry: { first_token_timeout_ms: 150, answer_timeout_ms: 150 },
      });
      if (behaviour !== 'refused') routed().first.script(behaviour);
      const [before, beforeBill] = [routed().second.calls.length, routed().second.bill.calls];
      const answer = await ask(name, failure.streamed ? { stream: true } : {});
      routed().first.unscript();
      assert.equal(answer.status, 200, answer.text);
      assert.match(answer.text, /provider/);
      if (failure.streamed) assert.ok(answer.text.endsWith('data: [DONE]\n\n'), answer.text);
      assert.equal(routed().second.calls.length, before + 1);
      assert.equal(routed().second.bill.calls, beforeBill + 1);
      const rows = await routed().attemptsOf(answer.headers.get('x-request-id'), 2);
      assert.deepEqual(
        rows.map((row) => [row['attempt'], row['route'], row['model'], row['status']]).map(String),
        [`1,${name},${name}-a,${String(rows[0]?.['status'])}`, `2,${name},${name}-b,200`],
      );
      const [failed, served] = rows;
      const cost = failure.charge === 'nothing' ? '0.00' : failed?.['held_usd'];
      assert.equal(failed?.['cost_usd'], cost, JSON.stringify(failed));
      // 10 in, 5 out at one and two dollars a million.
      assert.equal(served?.['cost_usd'], '0.00002');
      await assertNothingHeld(routed().gateway, routed().key);
    });
  }

  test('each attempt is held and charged on the budget by itself, and a call counts once', async () => {
    await addPair('money');
    const paying = await issueKey(routed().gateway, { budgets: { total_usd: '1' } });
    routed().first.script({ kind: 'status', status: 500 });
    const answer = await ask('money', {}, paying.secret);
    assert.equal(answer.status, 200);
    const requestId = answer.headers.get('x-request-id') ?? '';
    const actions = (await auditOf(routed().gateway, requestId)).map((event) => event['action']);
    assert.deepEqual(actions, ['call.opened', 'call.settled', 'call.opened', 'call.settled']);
    const usage = await routed().keyfold.request('GET', `/v1/usage?key_id=${paying.id}`);
    const [sum] = rowsOf(usage);
    assert.deepEqual([sum?.['calls'], sum?.['cost_usd']], [1, '0.00002']);
    assert.equal((await callsOf(routed().gateway, paying)).length, 2);
  });

  test('after five failures the first target is left alone, and found again when it heals', async () => {
    await addPair('breaker');
    routed().first.behave({ kind: 'status', status: 500 });
    for (let round = 0; round < 5; round++) assert.equal((await ask('breaker')).status, 200);
    const asked = routed().first.calls.length;
    for (let round = 0; round < 5; round++) assert.equal((await ask('breaker')).status, 200);
    assert.equal(routed().first.calls.length, asked);
    routed().first.behave({ kind: 'ok' });
    await until(async () => {
      const answer = await ask('breaker');
      assert.equal(answer.status, 200);
      return answer.headers.get('x-keyfold-model') === 'breaker-a' ? true : undefined;
    }, 20_000);
    assert.equal((await ask('breaker')).headers.get('x-keyfold-model'), 'breaker-a');
  });

  test('what the client got wrong is not tried elsewhere, and a byte that has left is not taken back', async () => {
    await addPair('final');
    const before = routed().second.calls.length;
    routed().first.script({ kind: 'status', status: 400 });
    assert.equal((await ask('final')).status, 400);
    routed().first.script({ kind: 'half-stream' });
    const answer = await ask('final', { stream: true });
    assert.equal(answer.status, 200);
    assert.match(answer.text, /"code":"provider_error"/);
    assert.equal(routed().second.calls.length, before);
  });

  test('attempts end with the route’s limit, and the client gets the last refusal', async () => {
    await addPair('limited', { retry: { attempts_max: 1 } });
    routed().first.script({ kind: 'status', status: 503 });
    const before = routed().second.calls.length;
    assert.equal((await ask('limited')).status, 502);
    assert.equal(routed().second.calls.length, before);
  });

  test('a route asks its one target again where the failure cost nothing, and no model without a route does', async () => {
    await addCredential('again', { url: routed().first.url });
    await addRoute('again-route', { targets: [{ model: 'openai-compatible/again' }] });
    let before = routed().first.calls.length;
    routed().first.script({ kind: 'status', status: 503 }, { kind: 'status', status: 500 });
    assert.equal((await ask('again-route')).status, 200);
    assert.equal(routed().first.calls.length, before + 3);
    before = routed().first.calls.length;
    routed().first.script({ kind: 'status', status: 503 });
    assert.equal((await ask('again')).status, 502);
    assert.equal(routed().first.calls.length, before + 1);
  });

  test('a pool is shared by weight, exactly, and one of it stands in for another', async () => {
    await addCredential('pool-1', { url: routed().first.url, model: 'pooled', fields: { weight: 3 } });
    await addCredential('pool-2', { url: routed().second.url, model: 'pooled' });
    const [firstBefore, secondBefore] = [routed().first.calls.length, routed().second.calls.length];
    for (let round = 0; round < 40; round++) assert.equal((await ask('pooled')).status, 200);
    assert.deepEqual(
      [routed().first.calls.length - firstBefore, routed().second.calls.length - secondBefore],
      [30, 10],
    );
    routed().first.behave({ kind: 'status', status: 401 });
    const calls = await Promise.all(Array.from({ length: 8 }, () => ask('pooled')));
    routed().first.behave({ kind: 'ok' });
    assert.deepEqual(new Set(calls.map(({ status }) => status)), new Set([200]));
    const [shown] = rowsOf(await routed().keyfold.request('GET', '/v1/credentials?limit=100')).filter(
      (row) => row['name'] === 'pool-1',
    );
    assert.deepEqual((shown?.['health'] as { reason: string } | undefined)?.reason, 'credential');
  });

  test("a credential's own limit sends calls to the next one, and refuses when there is none", async () => {
    const limits = { requests_per_minute: 2 };
    await addCredential('own-1', { url: routed().first.url, model: 'owned', fields: { limits } });
    await addCredential('own-2', { url: routed().second.url, model: 'owned', fields: { limits } });
    const statuses = [];
    for (let round = 0; round < 5; round++) statuses.push((await ask('owned')).status);
    assert.deepEqual(statuses, [200, 200, 200, 200, 429]);
    const answer = await ask('owned');
    assert.match(answer.text, /"limit":"credential"/);
    assert.ok(Number(answer.headers.get('retry-after')) > 0);
  });

  test('a rotated credential falls back to the secret before it while its grace lasts', async () => {
    const id = await addCredential('graced', { url: routed().first.url });
    const rotate = (fields: object) =>
      routed().keyfold.request('POST', `/v1/credentials/${id}/rotate`, { secret: 'sk-wrong', ...fields });
    const rotated = await rotate({});
    assert.equal(rotated.status, 200, rotated.text);
    assert.ok(rotated.body['previous_expires_at']);
    routed().first.script({ kind: 'status', status: 401 });
    const before = routed().first.calls.length;
    assert.equal((await ask('graced')).status, 200);
    const secrets = routed()
      .first.calls.slice(before)
      .map(({ headers }) => headers.authorization);
    assert.deepEqual(secrets, ['Bearer sk-wrong', 'Bearer sk-graced']);
    assert.equal((await rotate({ grace_seconds: 0 })).body['previous_expires_at'], null);
    routed().first.script({ kind: 'status', status: 401 });
    assert.equal((await ask('graced')).status, 502);
  });

  test('a key that may use a route may use what is behind it, and nothing else', async () => {
    await addPair('public');
    const restricted = await issueKey(routed().gateway, { models: ['public'] });
    assert.equal((await ask('public', {}, restricted.secret)).status, 200);
    assert.equal((await ask('public-a', {}, restricted.secret)).status, 403);
    const other = await issueKey(routed().gateway, { models: ['public-a'] });
    assert.equal((await ask('public', {}, other.secret)).status, 403);
    const models = await routed().keyfold.request('GET', '/v1/models', undefined, restricted.secret);
    assert.deepEqual(
      (models.body['data'] as { id: string }[]).map(({ id }) => id),
      ['public'],
    );
  });

  test('routes are made, listed, changed and deleted, and each change is recorded', async () => {
    const made = await addPair('managed');
    const id = textAt(made, 'id');
    assert.deepEqual((await routed().keyfold.request('GET', `/v1/routes/${id}`)).body, made.body);
    assert.ok(rowsOf(await routed().keyfold.request('GET', '/v1/routes')).some((row) => row['id'] === id));
    const changed = await routed().keyfold.request('PATCH', `/v1/routes/${id}`, {
      name: 'renamed',
      targets: [{ model: 'openai-compatible/managed-b', weight: 7 }],
      retry: { attempts_max: 2 },
    });
    assert.equal(changed.status, 200, changed.text);
    assert.equal((await ask('renamed')).headers.get('x-keyfold-model'), 'managed-b');
    assert.equal((await ask('managed')).status, 404);
    assert.equal((await routed().keyfold.request('DELETE', `/v1/routes/${id}`)).status, 204);
    assert.equal((await ask('renamed')).status, 404);
    assert.equal((await routed().keyfold.request('GET', `/v1/routes/${id}`)).status, 404);
    const stranger = await routed().keyfold.request(
      'GET',
      '/v1/routes',
      undefined,
      routed().keyfold.strangerKey,
    );
    assert.deepEqual(rowsOf(stranger), []);
    const events = rowsOf(await routed().keyfold.request('GET', '/v1/audit/events?limit=100'));
    const actions = events.filter((event) => event['target'] === id).map((event) => event['action']);
    assert.deepEqual(actions.toSorted(), ['route.created', 'route.deleted', 'route.updated']);
  });

  const refused: readonly [string, object, string][] = [
    ['no name', { targets: [{ model: 'openai/x' }] }, 'name'],
    ['a name with a slash', { name: 'a/b', targets: [{ model: 'openai/x' }] }, 'name'],
    ['no targets', { name: 'x', targets: [] }, 'targets'],
    [
      'too many targets',
      { name: 'x', targets: Array.from({ length: 33 }, () => ({ model: 'openai/x' })) },
      'targets',
    ],
    ['a target without a provider', { name: 'x', targets: [{ model: 'gpt-4.1' }] }, 'targets.0.model'],
    ['an unknown provider', { name: 'x', targets: [{ model: 'azure/x' }] }, 'targets.0.model'],
    [
      'a credential that is not there',
      { name: 'x', targets: [{ model: 'openai/x', credential_id: 'crd_none' }] },
      'targets.0.credential_id',
    ],
    ['a weight of nothing', { name: 'x', targets: [{ model: 'openai/x', weight: 0 }] }, 'targets.0.weight'],
    [
      'a negative priority',
      { name: 'x', targets: [{ model: 'openai/x', priority: -1 }] },
      'targets.0.priority',
    ],
    [
      'attempts without end',
      { name: 'x', targets: [{ model: 'openai/x' }], retry: { attempts_max: 11 } },
      'retry.attempts_max',
    ],
    [
      'a time-out of nothing',
      { name: 'x', targets: [{ model: 'openai/x' }], retry: { answer_timeout_ms: 0 } },
      'retry.answer_timeout_ms',
    ],
    ['an unknown field', { name: 'x', targets: [{ model: 'openai/x' }], mode: 'fast' }, 'mode'],
  ];
  for (const [name, body, param] of refused) {
    test(`a route with ${name} is refused, and the field is named`, async () => {
      const answer = await routed().keyfold.request('POST', '/v1/routes', body);
      assert.deepEqual([answer.status, answer.body['param']], [400, param], answer.text);
    });
  }

  test('a name is taken once', async () => {
    await addPair('taken');
    const again = await routed().keyfold.request('POST', '/v1/routes', {
      name: 'taken',
      targets: [{ model: 'openai/x' }],
    });
    assert.deepEqual([again.status, again.body['code']], [409, 'conflict']);
  });
});

/** A port where nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
