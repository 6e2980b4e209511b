import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signedFetch } from '../../../sdk/src/signing/index.ts';
import type { Body, TestKeyfold } from '../keyfold.ts';
import { startMockProvider } from '../mock-provider.ts';
import {
  addProvider,
  assertProblem,
  chat,
  createKey,
  describeOnEachDatabase,
  rowsOf,
  textAt,
} from './support.ts';

const bear = (keyfold: TestKeyfold, parent: string, body: object = {}) =>
  keyfold.request('POST', '/v1/keys/self/children', body, parent);

describeOnEachDatabase('child keys', (keyfold) => {
  test('a key makes a short-lived key that does what it may, and says whose child it is', async () => {
    const parent = await createKey(keyfold(), { models: ['sandbox/*'] });
    const child = await bear(keyfold(), textAt(parent, 'api_key'), { ttl_seconds: 60, name: 'browser' });
    assert.equal(child.status, 201, child.text);
    assert.equal(child.body['parent_id'], textAt(parent, 'id'));
    assert.deepEqual(child.body['models'], ['sandbox/*']);
    const life = Date.parse(textAt(child, 'expires_at')) - Date.parse(textAt(child, 'created_at'));
    assert.ok(Math.abs(life - 60_000) < 1_000, String(life));
    assert.equal((await chat(keyfold(), textAt(child, 'api_key'))).status, 200);
    const idsOf = async (query: string) =>
      rowsOf(await keyfold().request('GET', `/v1/keys?limit=100&${query}`)).map(({ id }) => id);
    assert.ok(!(await idsOf('')).includes(child.body['id']), 'children do not crowd the list of keys');
    assert.deepEqual(await idsOf(`parent_id=${textAt(parent, 'id')}`), [child.body['id']]);
  });

  test('a child is never made wider than its parent', async () => {
    const parent = textAt(
      await createKey(keyfold(), {
        permissions: ['chat', 'embeddings'],
        models: ['gpt-4.1', 'claude-*'],
        networks: ['127.0.0.0/8', '10.1.0.0/16'],
        limits: { requests_per_minute: 60 },
      }),
      'api_key',
    );
    const wider: readonly (readonly [object, string])[] = [
      [{ permissions: ['images'] }, 'permissions'],
      [{ permissions: ['*'] }, 'permissions'],
      [{ permissions: ['keys:read'] }, 'permissions'],
      [{ models: null }, 'models'],
      [{ models: ['*'] }, 'models'],
      [{ models: ['gpt-4.1*'] }, 'models'],
      [{ models: ['claud*'] }, 'models'],
      [{ networks: null }, 'networks'],
      [{ networks: ['0.0.0.0/0'] }, 'networks'],
      [{ networks: ['10.0.0.0/15'] }, 'networks'],
      [{ networks: ['::/0'] }, 'networks'],
      [{ limits: { requests_per_minute: 61 } }, 'limits.requests_per_minute'],
    ];
    for (const [body, param] of wider) {
      assertProblem(await bear(keyfold(), parent, body), { status: 403, code: 'permission_denied', param });
    }
    const narrower = {
      permissions: ['chat'],
      models: ['claude-opus-*', 'gpt-4.1'],
      networks: ['127.0.0.1', '10.1.2.0/24'],
      limits: { requests_per_minute: 60, tokens_per_minute: 5 },
    };
    assert.equal((await bear(keyfold(), parent, narrower)).status, 201);
    for (const body of [
      { ttl_seconds: 0 },
      { ttl_seconds: 86_401 },
      { auto_rotate: true },
      { kind: 'admin' },
    ]) {
      assertProblem(await bear(keyfold(), parent, body), { status: 400, code: 'invalid_request' });
    }
  });

  test('a parent that is narrowed later narrows its children at once', async () => {
    const parent = await createKey(keyfold());
    const child = textAt(await bear(keyfold(), textAt(parent, 'api_key')), 'api_key');
    assert.equal((await chat(keyfold(), child)).status, 200);
    const path = `/v1/keys/${textAt(parent, 'id')}`;
    for (const [change, code] of [
      [{ models: ['gpt-4.1'] }, 'model_not_allowed'],
      [{ models: null, networks: ['192.0.2.0/24'] }, 'network_not_allowed'],
      [{ networks: null, permissions: ['embeddings'] }, 'permission_denied'],
    ] as const) {
      assert.equal((await keyfold().request('PATCH', path, change)).status, 200);
      const refused = await chat(keyfold(), child);
      assert.equal((refused.body['error'] as { code: string }).code, code);
    }
  });

  test('a child ends with the version of its parent that made it, and with its parent', async () => {
    const parent = await createKey(keyfold());
    const path = `/v1/keys/${textAt(parent, 'id')}`;
    const first = textAt(await bear(keyfold(), textAt(parent, 'api_key')), 'api_key');
    const rotated = await keyfold().request('POST', `${path}/rotate`, { grace_seconds: 0 });
    assert.equal((await chat(keyfold(), first)).status, 401);
    const second = textAt(await bear(keyfold(), textAt(rotated, 'new_api_key')), 'api_key');
    assert.equal((await chat(keyfold(), second)).status, 200);
    await keyfold().request('PATCH', path, { quarantined: true });
    assert.equal((await chat(keyfold(), second)).status, 401);
    await keyfold().request('PATCH', path, { quarantined: false });
    assert.equal((await chat(keyfold(), second)).status, 200);
    await keyfold().request('DELETE', path);
    assert.equal((await chat(keyfold(), second)).status, 401);
  });

  test('a parent that must sign from now on makes its children worthless until they can', async () => {
    const parent = await createKey(keyfold());
    const child = await bear(keyfold(), textAt(parent, 'api_key'));
    assert.equal((await chat(keyfold(), textAt(child, 'api_key'))).status, 200);
    const path = `/v1/keys/${textAt(parent, 'id')}`;
    assert.equal((await keyfold().request('PATCH', path, { signing: { required: true } })).status, 200);
    const refused = await chat(keyfold(), textAt(child, 'api_key'));
    assert.equal((refused.body['error'] as { code: string }).code, 'invalid_signature');
    const { body } = await keyfold().request('POST', '/v1/keys/verify', { key: textAt(child, 'api_key') });
    assert.deepEqual([body['valid'], body['code']], [false, 'invalid_signature']);
  });

  test('no change makes a child wider than its parent, or longer-lived than it was made', async () => {
    const parent = await createKey(keyfold(), { models: ['sandbox/*'] });
    const child = await bear(keyfold(), textAt(parent, 'api_key'));
    const path = `/v1/keys/${textAt(child, 'id')}`;
    for (const field of ['expires_at', 'not_before', 'signing']) {
      assertProblem(await keyfold().request('PATCH', path, { [field]: null }), {
        status: 400,
        code: 'invalid_request',
        param: field,
      });
    }
    assertProblem(await keyfold().request('PATCH', path, { auto_rotate: true }), {
      status: 400,
      code: 'invalid_request',
      param: 'auto_rotate',
    });
    for (const [field, value] of [
      ['models', null],
      ['permissions', ['chat', 'embeddings']],
    ] as const) {
      assertProblem(await keyfold().request('PATCH', path, { [field]: value }), {
        status: 403,
        code: 'permission_denied',
        param: field,
      });
    }
    assert.equal((await keyfold().request('PATCH', path, { name: 'renamed' })).status, 200);
  });

  test('an admin key makes no children', async () => {
    assertProblem(await bear(keyfold(), keyfold().adminKey), { status: 403, code: 'permission_denied' });
  });

  test('a key has a thousand children at a time and no more, also when hundreds are asked for at once', async () => {
    const parent = textAt(await createKey(keyfold()), 'api_key');
    const statuses: number[] = [];
    for (let round = 0; round < 11; round++) {
      const answers = await Promise.all(Array.from({ length: 100 }, () => bear(keyfold(), parent)));
      statuses.push(...answers.map(({ status }) => status));
    }
    assert.equal(statuses.filter((status) => status === 201).length, 1_000);
    assert.equal(statuses.filter((status) => status === 409).length, 100);
  });

  test('validation tells what a child may do in the end', async () => {
    const parent = await createKey(keyfold(), { permissions: ['chat', 'embeddings'] });
    const child = textAt(await bear(keyfold(), textAt(parent, 'api_key')), 'api_key');
    await keyfold().request('PATCH', `/v1/keys/${textAt(parent, 'id')}`, { permissions: ['embeddings'] });
    const validated = await keyfold().request('GET', '/v1/keys/validate', undefined, child);
    assert.deepEqual(validated.body['permissions'], ['embeddings']);
  });

  test('children share the limits of their parent', async () => {
    const parent = textAt(await createKey(keyfold(), { limits: { requests_per_minute: 3 } }), 'api_key');
    const children = await Promise.all([bear(keyfold(), parent), bear(keyfold(), parent)]);
    const statuses = [];
    for (const child of [...children, ...children]) {
      statuses.push((await chat(keyfold(), textAt(child, 'api_key'))).status);
    }
    assert.deepEqual(statuses, [200, 200, 200, 429]);
    assert.equal((await chat(keyfold(), parent)).status, 429);
  });

  test('what children spend is on the budget of their parent', async () => {
    await using provider = await startMockProvider();
    await addProvider(keyfold(), provider, { name: 'shared' });
    const parent = await createKey(keyfold(), { budgets: { total_usd: '0.000050' } });
    const child = textAt(
      await bear(keyfold(), textAt(parent, 'api_key'), { budgets: { total_usd: '100' } }),
      'api_key',
    );
    const statuses = [];
    for (let call = 0; call < 6; call++) statuses.push((await chat(keyfold(), child, 'shared')).status);
    assert.ok(statuses.includes(402), statuses.join());
    const shown = await keyfold().request('GET', `/v1/keys/${textAt(parent, 'id')}`);
    const [budget] = shown.body['budgets'] as { posted_usd: string }[];
    assert.equal(Number(budget?.posted_usd), 0.00002 * statuses.filter((status) => status === 200).length);
    const validated = await keyfold().request('GET', '/v1/keys/validate', undefined, child);
    assert.equal((validated.body['budgets'] as unknown[]).length, 2);
  });

  test('a child makes no children, does not renew itself, and does not outlive its parent', async () => {
    const soon = new Date(Date.now() + 600_000).toISOString();
    const parent = textAt(await createKey(keyfold(), { expires_at: soon }), 'api_key');
    assertProblem(await bear(keyfold(), parent, { ttl_seconds: 3_600 }), {
      status: 400,
      code: 'invalid_request',
      param: 'ttl_seconds',
    });
    const child = await bear(keyfold(), parent);
    assert.equal(child.body['expires_at'], soon, 'an hour, or what the parent has left');
    const key = textAt(child, 'api_key');
    assertProblem(await bear(keyfold(), key), { status: 403, code: 'permission_denied' });
    assertProblem(await keyfold().request('POST', '/v1/keys/self/rotate', {}, key), {
      status: 403,
      code: 'permission_denied',
    });
  });

  test('the child of a key that must sign must sign, with a secret of its own', async () => {
    const parent = await createKey(keyfold(), { signing: { required: true } });
    const url = `${keyfold().url}/v1/keys/self/children`;
    const json = { 'content-type': 'application/json' };
    const asParent = signedFetch({
      version: '2',
      keyId: textAt(parent, 'id'),
      signingSecret: textAt(parent, 'signing_secret'),
    });
    const answer = await asParent(url, { method: 'POST', headers: json, body: '{"name":"worker"}' });
    assert.equal(answer.status, 201);
    const child = (await answer.json()) as Body;
    assert.notEqual(child['signing_secret'], parent['signing_secret']);
    assert.equal(
      (await chat(keyfold(), textAt(child, 'api_key'))).status,
      401,
      'the key alone is worth nothing',
    );
    const asChild = signedFetch({
      version: '2',
      keyId: textAt(child, 'id'),
      signingSecret: textAt(child, 'signing_secret'),
    });
    const call = { model: 'sandbox/echo', max_tokens: 10, messages: [{ role: 'user', content: 'Hello' }] };
    const called = await asChild(`${keyfold().url}/v1/chat/completions`, {
      method: 'POST',
      headers: json,
      body: JSON.stringify(call),
    });
    assert.equal(called.status, 200);
  });
});
