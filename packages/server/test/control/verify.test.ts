import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, createAdmin, createKey, describeOnEachDatabase, textAt } from './support.ts';

describeOnEachDatabase('verifying a key for another service', (keyfold) => {
  const verify = (body: object) => keyfold().request('POST', '/v1/keys/verify', body);

  test('a valid key is told with what it may do, and never echoed', async () => {
    const key = await createKey(keyfold(), { permissions: ['chat'], rate_limit: 9 });
    const secret = textAt(key, 'api_key');
    const answer = await verify({ key: secret, permission: 'chat', cost: '0.5' });
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(answer.body, {
      valid: true,
      key_id: key['id'],
      kind: 'live',
      project_id: key['project_id'],
      permissions: ['chat'],
      remaining_quota: 9,
      expires_at: null,
    });
    assert.ok(!answer.text.includes(secret.slice(12, 50)));
  });

  test('asking consumes nothing', async () => {
    const key = await createKey(keyfold(), { rate_limit: 2, budgets: { total_usd: '1' } });
    for (let time = 0; time < 4; time++) {
      const answer = await verify({ key: textAt(key, 'api_key'), cost: '1' });
      assert.equal(answer.body['valid'], true, answer.text);
      assert.equal(answer.body['remaining_quota'], 2);
    }
  });

  test('a permission that the key has not, and a cost that a budget has no room for, make it invalid', async () => {
    const key = await createKey(keyfold(), { budgets: { per_day_usd: '1', total_usd: '5' } });
    const secret = textAt(key, 'api_key');
    const forbidden = await verify({ key: secret, permission: 'embeddings' });
    assert.deepEqual([forbidden.body['valid'], forbidden.body['code']], [false, 'permission_denied']);
    const dear = await verify({ key: secret, cost: '1.000000001' });
    assert.deepEqual([dear.body['valid'], dear.body['code']], [false, 'budget_exhausted']);
    assert.equal(dear.body['key_id'], key['id']);
    assert.equal((await verify({ key: secret, cost: 1 })).body['valid'], true);
  });

  test("another organization's key, dead or alive, and one that never was are told apart by nothing", async () => {
    const theirs = await keyfold().request(
      'POST',
      '/v1/keys',
      { permissions: ['chat'] },
      keyfold().strangerKey,
    );
    const secret = textAt(theirs, 'api_key');
    const path = `/v1/keys/${textAt(theirs, 'id')}`;
    assert.equal((await keyfold().request('DELETE', path, undefined, keyfold().strangerKey)).status, 200);
    const unknown = `${secret.slice(0, -1)}${secret.endsWith('0') ? '1' : '0'}`;
    const bodies = [];
    for (const key of [keyfold().strangerKey, secret, unknown, 'sk-of-somebody-else']) {
      const answer = await verify({ key });
      assert.equal(answer.status, 200);
      bodies.push(answer.body);
    }
    const [first] = bodies;
    assert.deepEqual(first?.['valid'], false);
    assert.deepEqual(first?.['code'], 'invalid_api_key');
    for (const body of bodies) assert.deepEqual(body, first);
  });

  test('of an own key that does not work it says which it is, and why', async () => {
    const revoked = await createKey(keyfold());
    await keyfold().request('DELETE', `/v1/keys/${textAt(revoked, 'id')}`);
    const held = await createKey(keyfold());
    await keyfold().request('PATCH', `/v1/keys/${textAt(held, 'id')}`, { quarantined: true });
    const signing = await createKey(keyfold(), { signing: { required: true } });
    for (const [key, code] of [
      [revoked, 'key_revoked'],
      [held, 'key_quarantined'],
      // By itself it proves nothing: its requests must be signed.
      [signing, 'invalid_signature'],
    ] as const) {
      const { body } = await verify({ key: textAt(key, 'api_key') });
      assert.deepEqual([body['valid'], body['code'], body['key_id']], [false, code, key['id']]);
    }
  });

  test('it needs its permission and a sound body', async () => {
    const { adminKey } = keyfold();
    const other = await createAdmin(keyfold(), 'keys:read');
    const forbidden = await keyfold().request('POST', '/v1/keys/verify', { key: adminKey }, { key: other });
    assertProblem(forbidden, { status: 403, code: 'permission_denied' });
    for (const [body, param] of [
      [{}, 'key'],
      [{ key: '' }, 'key'],
      [{ key: 'a'.repeat(501) }, 'key'],
      [{ key: adminKey, permission: '*' }, 'permission'],
      [{ key: adminKey, cost: '-1' }, 'cost'],
      [{ key: adminKey, cost: '0.00000000001' }, 'cost'],
      [{ key: adminKey, model: 'x' }, 'model'],
    ] as const) {
      assertProblem(await verify(body), { status: 400, code: 'invalid_request', param });
    }
  });
});
