import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startMockProvider } from '../mock-provider.ts';
import { addProvider, chat, createKey, describeOnEachDatabase, textAt } from './support.ts';

describeOnEachDatabase('secrets', (keyfold) => {
  test('neither a key nor a credential is in any later answer or anywhere in the database', async () => {
    await using provider = await startMockProvider();
    const secret = 'sk-provider-secret-0123456789';
    const rotatedSecret = 'sk-provider-rotated-0123456789';
    const credential = await addProvider(keyfold(), provider, { name: 'sealed', secret });
    const credentialPath = `/v1/credentials/${textAt(credential, 'id')}`;
    const key = await createKey(keyfold(), { budgets: { total_usd: '5' } });
    assert.equal((await chat(keyfold(), textAt(key, 'api_key'), 'sealed')).status, 200);
    const options = { headers: { 'idempotency-key': 'secrets-1' } };
    const keyPath = `/v1/keys/${textAt(key, 'id')}`;
    const rotated = await keyfold().request('POST', `${keyPath}/rotate`, {}, options);
    await keyfold().request('POST', `${credentialPath}/rotate`, { secret: rotatedSecret }, options);
    await keyfold().request('POST', `${credentialPath}/rotate`, { secret: rotatedSecret });
    assert.equal((await chat(keyfold(), textAt(rotated, 'new_api_key'), 'sealed')).status, 200);
    await keyfold().request('POST', '/v1/keys/verify', { key: textAt(key, 'api_key') });
    await keyfold().request('POST', '/v1/projects', { name: 'x', secret });

    const secrets = [
      secret,
      rotatedSecret,
      keyfold().adminKey,
      textAt(key, 'api_key'),
      textAt(rotated, 'new_api_key'),
    ];
    const answers = [];
    for (const path of [
      '/v1/keys?limit=100',
      keyPath,
      '/v1/credentials',
      credentialPath,
      '/v1/budgets',
      '/v1/calls',
      '/v1/usage?group_by=key,model,day',
      '/v1/audit/events?limit=100',
      '/v1/projects',
      '/v1/organizations',
      '/metrics',
      '/openapi.json',
    ]) {
      const answer = await keyfold().request('GET', path);
      assert.equal(answer.status, 200, path);
      answers.push(answer.text);
    }
    const stored = await keyfold().readStored();
    assert.ok(stored.includes(textAt(key, 'id')), 'the bytes that are searched are those of the database');
    for (const value of secrets) {
      for (const text of answers) assert.ok(!text.includes(value));
      assert.ok(!stored.includes(value));
      // A key without its prefix and checksum would do for a thief, too.
      if (value.startsWith('kf_')) assert.ok(!stored.includes(value.slice(-49, -6)));
    }
  });
});
