import assert from 'node:assert/strict';
import { Agent, request as httpRequest } from 'node:http';
import { test } from 'node:test';
import {
  assertProblem,
  chat,
  createKey,
  describeOnEachDatabase,
  findEvent,
  rowsOf,
  textAt,
} from './support.ts';

describeOnEachDatabase('keys', (keyfold) => {
  test('a key is created with everything that was asked for, and its secret is in that answer alone', async () => {
    const asked = {
      name: 'search',
      permissions: ['chat', 'embeddings'],
      limits: { requests_per_minute: 60, tokens_per_minute: 10_000, concurrent_requests: 4 },
      budgets: { per_day_usd: '1.5', per_month_usd: 20, total_usd: '100.000000001' },
      models: ['sandbox/*'],
      networks: ['127.0.0.0/8'],
      expires_at: '2100-01-01T00:00:00+01:00',
      auto_rotate: false,
      rotation_interval: 3_600,
      metadata: { team: 'a' },
    };
    const created = await keyfold().request('POST', '/v1/keys', asked);
    assert.equal(created.status, 201, created.text);
    const { api_key: secret, ...view } = created.body;
    assert.match(String(secret), /^kf_live_[0-9A-Za-z]{49}$/);
    assert.deepEqual(view['limits'], asked.limits);
    assert.equal(view['expires_at'], '2099-12-31T23:00:00.000Z');
    const caps = (view['budgets'] as { cap_usd: string }[]).map((budget) => budget.cap_usd);
    assert.deepEqual(caps, ['1.50', '20.00', '100.000000001']);

    const shown = await keyfold().request('GET', `/v1/keys/${textAt(created, 'id')}`);
    assert.equal(shown.status, 200);
    assert.deepEqual(shown.body, view);
    const listed = rowsOf(await keyfold().request('GET', '/v1/keys?limit=1'));
    assert.deepEqual(listed[0], view);
    assert.equal((await chat(keyfold(), String(secret))).status, 200);
  });

  test('a key is listed in pages, both ways, without gaps', async () => {
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) ids.unshift(textAt(await createKey(keyfold()), 'id'));
    const first = await keyfold().request('GET', '/v1/keys?limit=2');
    assert.deepEqual(
      rowsOf(first).map(({ id }) => id),
      ids.slice(0, 2),
    );
    assert.equal(first.body['has_more'], true);
    const second = await keyfold().request('GET', `/v1/keys?limit=2&after=${textAt(first, 'last_id')}`);
    assert.deepEqual(
      rowsOf(second).map(({ id }) => id),
      ids.slice(2, 4),
    );
    const back = await keyfold().request('GET', `/v1/keys?limit=2&before=${textAt(second, 'first_id')}`);
    assert.deepEqual(
      rowsOf(back).map(({ id }) => id),
      ids.slice(0, 2),
    );
    assert.equal(back.body['has_more'], false);
  });

  const refused: readonly [string, unknown, string][] = [
    ['no permissions', {}, 'permissions'],
    ['empty permissions', { permissions: [] }, 'permissions'],
    ['a permission that is none', { permissions: ['chat', 'fly'] }, 'permissions.1'],
    ['a control permission on a live key', { permissions: ['keys:read'] }, 'permissions'],
    ['a data permission on an admin key', { kind: 'admin', permissions: ['chat'] }, 'permissions'],
    ['an unknown field', { permissions: ['chat'], colour: 'red' }, 'colour'],
    ['an unknown limit', { permissions: ['chat'], limits: { per_second: 1 } }, 'limits.per_second'],
    [
      'a limit of zero',
      { permissions: ['chat'], limits: { requests_per_minute: 0 } },
      'limits.requests_per_minute',
    ],
    ['a negative limit', { permissions: ['chat'], rate_limit: -1 }, 'rate_limit'],
    ['a fractional limit', { permissions: ['chat'], rate_limit: 1.5 }, 'rate_limit'],
    ['a limit that is huge', { permissions: ['chat'], rate_limit: 1e300 }, 'rate_limit'],
    ['a limit beyond safe integers', '{"permissions":["chat"],"rate_limit":9007199254740993}', 'rate_limit'],
    ['an infinite limit', '{"permissions":["chat"],"rate_limit":1e999}', 'rate_limit'],
    ['a limit as text', { permissions: ['chat'], rate_limit: '60' }, 'rate_limit'],
    [
      'the same limit twice',
      { permissions: ['chat'], rate_limit: 1, limits: { requests_per_minute: 1 } },
      'rate_limit',
    ],
    ['a negative budget', { permissions: ['chat'], budgets: { per_day_usd: '-1' } }, 'budgets.per_day_usd'],
    [
      'a budget of ten decimals',
      { permissions: ['chat'], budgets: { per_day_usd: '1.0000000001' } },
      'budgets.per_day_usd',
    ],
    [
      'a budget of eleven decimals',
      { permissions: ['chat'], budgets: { per_day_usd: '1.00000000001' } },
      'budgets.per_day_usd',
    ],
    [
      'a budget with an exponent',
      { permissions: ['chat'], budgets: { total_usd: '1e3' } },
      'budgets.total_usd',
    ],
    [
      'a budget beyond the ledger',
      { permissions: ['chat'], budgets: { total_usd: '9223372037' } },
      'budgets.total_usd',
    ],
    [
      'a budget as a huge number',
      { permissions: ['chat'], budgets: { total_usd: 1e22 } },
      'budgets.total_usd',
    ],
    ['a budget that is none', { permissions: ['chat'], budgets: { total_usd: 'NaN' } }, 'budgets.total_usd'],
    ['a budget as a boolean', { permissions: ['chat'], budgets: { total_usd: true } }, 'budgets.total_usd'],
    ['a star inside a model', { permissions: ['chat'], models: ['a*b'] }, 'models.0'],
    ['a network that is none', { permissions: ['chat'], networks: ['10.0.0.0/33'] }, 'networks.0'],
    ['a time without a zone', { permissions: ['chat'], expires_at: '2100-01-01T00:00:00' }, 'expires_at'],
    ['a name with a control character', { permissions: ['chat'], name: 'a\u0000b' }, 'name'],
    ['a name with a direction mark', { permissions: ['chat'], name: 'a\u202eb' }, 'name'],
    ['a name that is too long', { permissions: ['chat'], name: 'a'.repeat(201) }, 'name'],
    ['metadata that is no text', { permissions: ['chat'], metadata: { a: 1 } }, 'metadata.a'],
    ['a field that is given twice', '{"permissions":["chat"],"permissions":["chat"]}', ''],
    ['a field that reaches a prototype', '{"permissions":["chat"],"__proto__":{}}', ''],
    ['a list', '[]', ''],
    ['no JSON', '{', ''],
  ];
  for (const [name, body, param] of refused) {
    test(`a body with ${name} is refused and makes no key`, async () => {
      const before = rowsOf(await keyfold().request('GET', '/v1/keys?limit=100')).length;
      const answer = await keyfold().request('POST', '/v1/keys', body);
      assertProblem(answer, { status: 400, code: 'invalid_request', ...(param === '' ? {} : { param }) });
      assert.equal(rowsOf(await keyfold().request('GET', '/v1/keys?limit=100')).length, before);
    });
  }

  test('a change leaves what it does not name, and null removes', async () => {
    const key = await createKey(keyfold(), {
      name: 'a',
      rate_limit: 5,
      budgets: { per_day_usd: '1', total_usd: '2' },
    });
    const path = `/v1/keys/${textAt(key, 'id')}`;
    const changed = await keyfold().request('PATCH', path, {
      name: null,
      limits: { tokens_per_minute: 7 },
      budgets: { per_day_usd: null },
    });
    assert.equal(changed.status, 200, changed.text);
    assert.equal(changed.body['name'], null);
    assert.deepEqual(changed.body['limits'], {
      requests_per_minute: 5,
      tokens_per_minute: 7,
      concurrent_requests: null,
    });
    const caps = (changed.body['budgets'] as { period: string; cap_usd: string }[]).map(
      ({ period, cap_usd }) => [period, cap_usd],
    );
    assert.deepEqual(caps, [['total', '2.00']]);
    const shown = await keyfold().request('GET', path);
    assert.deepEqual(shown.body, changed.body);
  });

  test('a limit that is changed holds for the next call', async () => {
    const key = await createKey(keyfold());
    const secret = textAt(key, 'api_key');
    assert.equal((await chat(keyfold(), secret)).status, 200);
    await keyfold().request('PATCH', `/v1/keys/${textAt(key, 'id')}`, { rate_limit: 1 });
    const statuses = [await chat(keyfold(), secret), await chat(keyfold(), secret)].map(
      ({ status }) => status,
    );
    assert.equal(statuses[1], 429);
    await keyfold().request('PATCH', `/v1/keys/${textAt(key, 'id')}`, {
      limits: { requests_per_minute: null },
    });
    assert.equal((await chat(keyfold(), secret)).status, 200);
  });

  test('a budget that is changed holds for the next call', async () => {
    const key = await createKey(keyfold());
    const path = `/v1/keys/${textAt(key, 'id')}`;
    const secret = textAt(key, 'api_key');
    assert.equal((await chat(keyfold(), secret)).status, 200);
    await keyfold().request('PATCH', path, { budgets: { per_day_usd: '0' } });
    const refusal = await chat(keyfold(), secret);
    assert.equal(refusal.status, 402, refusal.text);
    await keyfold().request('PATCH', path, { budgets: { per_day_usd: '10' } });
    assert.equal((await chat(keyfold(), secret)).status, 200);
    await keyfold().request('PATCH', path, { budgets: { per_day_usd: '0' } });
    await keyfold().request('PATCH', path, { budgets: { per_day_usd: null } });
    assert.equal((await chat(keyfold(), secret)).status, 200);
  });

  test('both versions work in the grace period, and the id stays', async () => {
    const key = await createKey(keyfold());
    const id = textAt(key, 'id');
    const rotated = await keyfold().request('POST', `/v1/keys/${id}/rotate`);
    assert.equal(rotated.status, 200, rotated.text);
    assert.equal(rotated.body['key_id'], id);
    assert.equal(rotated.body['version'], 2);
    for (const secret of [textAt(key, 'api_key'), textAt(rotated, 'new_api_key')]) {
      const valid = await keyfold().request('GET', '/v1/keys/validate', undefined, { key: secret });
      assert.equal(valid.status, 200, valid.text);
      assert.equal(valid.body['key_id'], id);
      assert.equal((await chat(keyfold(), secret)).status, 200);
    }
    const shown = await keyfold().request('GET', `/v1/keys/${id}`);
    const versions = shown.body['versions'] as { id: string; version: number; expires_at: string | null }[];
    assert.deepEqual(
      versions.map(({ version }) => version),
      [2, 1],
    );
    assert.equal(versions[1]?.expires_at, rotated.body['previous_expires_at']);
    const byVersion = await keyfold().request('GET', `/v1/keys/${versions[1]?.id}`);
    assert.deepEqual(byVersion.body, shown.body);
    const event = await findEvent(keyfold(), { action: 'key.rotated', target: id });
    assert.deepEqual(event['detail'], {
      version: 2,
      grace_seconds: 300,
      rotation_id: rotated.body['rotation_id'],
    });
  });

  test('without grace the old version ends with the rotation', async () => {
    const key = await createKey(keyfold());
    const old = textAt(key, 'api_key');
    assert.equal((await chat(keyfold(), old)).status, 200);
    const rotated = await keyfold().request('POST', `/v1/keys/${textAt(key, 'id')}/rotate`, {
      grace_seconds: 0,
    });
    assert.equal(rotated.status, 200, rotated.text);
    const refusal = await chat(keyfold(), old);
    assert.equal(refusal.status, 401);
    assert.equal((refusal.body['error'] as { code: string }).code, 'key_expired');
    assert.equal((await chat(keyfold(), textAt(rotated, 'new_api_key'))).status, 200);
  });

  test('a later rotation with a longer grace does not prolong an end that was set', async () => {
    const key = await createKey(keyfold());
    const path = `/v1/keys/${textAt(key, 'id')}/rotate`;
    const second = await keyfold().request('POST', path, { grace_seconds: 0 });
    await keyfold().request('POST', path, { grace_seconds: 3_600 });
    assert.equal((await chat(keyfold(), textAt(key, 'api_key'))).status, 401);
    assert.equal((await chat(keyfold(), textAt(second, 'new_api_key'))).status, 200);
  });

  test('of rotations that meet, each that succeeds adds one version, and the others are told', async () => {
    const key = await createKey(keyfold());
    const path = `/v1/keys/${textAt(key, 'id')}`;
    const answers = await Promise.all(
      Array.from({ length: 4 }, () => keyfold().request('POST', `${path}/rotate`)),
    );
    const succeeded = answers.filter(({ status }) => status === 200);
    for (const answer of answers)
      if (answer.status !== 200) assertProblem(answer, { status: 409, code: 'conflict' });
    assert.ok(succeeded.length >= 1);
    const shown = await keyfold().request('GET', path);
    assert.equal((shown.body['versions'] as unknown[]).length, succeeded.length + 1);
    for (const answer of succeeded)
      assert.equal((await chat(keyfold(), textAt(answer, 'new_api_key'))).status, 200);
  });

  test('a revoked key is refused at once on a connection that it had open', async () => {
    const key = await createKey(keyfold());
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const call = () => callOn(agent, { url: keyfold().url, key: textAt(key, 'api_key') });
    const first = await call();
    assert.equal(first.status, 200);
    const revoked = await keyfold().request('DELETE', `/v1/keys/${textAt(key, 'id')}`);
    assert.equal(revoked.status, 200, revoked.text);
    assert.notEqual(revoked.body['revoked_at'], null);
    const second = await call();
    assert.equal(second.status, 401);
    assert.equal(second.port, first.port, 'the same connection');
    agent.destroy();
    assertProblem(await keyfold().request('PATCH', `/v1/keys/${textAt(key, 'id')}`, { name: 'x' }), {
      status: 409,
      code: 'conflict',
    });
    assertProblem(await keyfold().request('POST', `/v1/keys/${textAt(key, 'id')}/rotate`), {
      status: 409,
      code: 'conflict',
    });
    const again = await keyfold().request('DELETE', `/v1/keys/${textAt(key, 'id')}`);
    assert.equal(again.body['revoked_at'], revoked.body['revoked_at'], 'revoking again changes nothing');
  });

  test('a grace that is negative, too long or no whole number is refused', async () => {
    const key = await createKey(keyfold());
    for (const grace of [-1, 30 * 86_400 + 1, 1.5, '300', null]) {
      const answer = await keyfold().request('POST', `/v1/keys/${textAt(key, 'id')}/rotate`, {
        grace_seconds: grace,
      });
      assertProblem(answer, { status: 400, code: 'invalid_request', param: 'grace_seconds' });
    }
  });

  test('a list takes no unknown filter and no limit out of range', async () => {
    for (const query of ['limit=0', 'limit=101', 'limit=ten', 'colour=red', 'limit=1e2e']) {
      const answer = await keyfold().request('GET', `/v1/keys?${query}`);
      assertProblem(answer, { status: 400, code: 'invalid_request' });
    }
  });
});

function callOn(
  agent: Agent,
  of: { readonly url: string; readonly key: string },
): Promise<{ status: number; port: number | undefined }> {
  const body = JSON.stringify({ model: 'sandbox/echo', messages: [{ role: 'user', content: 'Hello' }] });
  return new Promise((resolve, reject) => {
    const sent = httpRequest(
      `${of.url}/v1/chat/completions`,
      {
        agent,
        method: 'POST',
        headers: { authorization: `Bearer ${of.key}`, 'content-type': 'application/json' },
      },
      (response) => {
        const port = response.socket.localPort;
        response.resume();
        response.on('end', () => resolve({ status: response.statusCode ?? 0, port }));
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}
