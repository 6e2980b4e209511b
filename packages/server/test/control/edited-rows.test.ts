import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { DATABASE_KINDS } from '../databases.ts';
import { type TestKeyfold, startTestKeyfold } from '../keyfold.ts';
import { startMockProvider } from '../mock-provider.ts';
import { addProvider, chat, createKey, textAt } from './support.ts';

const [SQLITE] = DATABASE_KINDS;

/** What somebody with the database, and without the root key, does to it. */
function edit({ dataDir }: TestKeyfold, sql: string): void {
  const database = new DatabaseSync(join(dataDir, 'data', 'keyfold.db'));
  database.exec(sql);
  database.close();
}

for (const sql of [
  "update credentials set limits = '[1000000,null,null]'",
  "update credentials set stream_policy = 'streamed'",
  `update credentials set models = '["edited","dear"]'`,
  'update credentials set weight = 1000',
]) {
  test(`a credential that was edited in the database serves nobody: ${sql}`, async () => {
    assert.ok(SQLITE);
    await using provider = await startMockProvider();
    await using keyfold = await startTestKeyfold(SQLITE);
    await addProvider(keyfold, provider, { name: 'edited' });
    edit(keyfold, sql);
    const key = textAt(await createKey(keyfold), 'api_key');
    assert.equal((await chat(keyfold, key, 'edited')).status, 503);
    assert.equal(provider.calls.length, 0);
  });
}

test('a secret from before a rotation cannot be kept for longer by an edit', async () => {
  assert.ok(SQLITE);
  await using provider = await startMockProvider();
  await using keyfold = await startTestKeyfold(SQLITE);
  const id = textAt(await addProvider(keyfold, provider, { name: 'kept' }), 'id');
  await keyfold.request('POST', `/v1/credentials/${id}/rotate`, { secret: 'sk-new' });
  edit(keyfold, 'update credentials set previous_until = previous_until + 86400000');
  const key = textAt(await createKey(keyfold), 'api_key');
  provider.script({ kind: 'status', status: 401 });
  assert.notEqual((await chat(keyfold, key, 'kept')).status, 200);
  assert.equal(provider.calls.length, 1);
});

test('a route that was edited in the database leads nowhere', async () => {
  assert.ok(SQLITE);
  await using provider = await startMockProvider();
  await using keyfold = await startTestKeyfold(SQLITE);
  await addProvider(keyfold, provider, { name: 'dear' });
  await keyfold.request('POST', '/v1/routes', { name: 'cheap', targets: [{ model: 'sandbox/echo' }] });
  edit(keyfold, "update routes set targets = replace(targets, 'sandbox/echo', 'openai-compatible/dear')");
  const key = textAt(await createKey(keyfold), 'api_key');
  assert.equal((await chat(keyfold, key, 'cheap')).status, 503);
  assert.equal(provider.calls.length, 0);
});

test('what a request with an Idempotency-Key said cannot be guessed from the database', async () => {
  assert.ok(SQLITE);
  await using keyfold = await startTestKeyfold(SQLITE);
  const body = { provider: 'openai', name: 'guessed', secret: 'hunter2' };
  const options = { headers: { 'idempotency-key': 'once' } };
  assert.equal((await keyfold.request('POST', '/v1/credentials', body, options)).status, 201);
  const stored = await keyfold.readStored();
  const text = JSON.stringify(['POST', '/v1/credentials', body]);
  for (const form of ['base64url', 'base64', 'hex'] as const) {
    assert.ok(!stored.includes(createHash('sha256').update(text).digest(form)));
  }
});
