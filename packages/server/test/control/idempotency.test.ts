import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertProblem, createAdmin, createKey, describeOnEachDatabase, rowsOf, textAt } from './support.ts';

describeOnEachDatabase('an Idempotency-Key', (keyfold) => {
  const post = (
    path: string,
    body: unknown,
    of: { readonly idempotencyKey: string; readonly key?: string },
  ) =>
    keyfold().request('POST', path, body, {
      headers: { 'idempotency-key': of.idempotencyKey },
      key: of.key ?? keyfold().adminKey,
    });
  const countKeys = async (name: string) => {
    const rows = rowsOf(await keyfold().request('GET', '/v1/keys?limit=100'));
    return rows.filter((row) => row['name'] === name).length;
  };

  test('brings back the very same answer, the new key in it too', async () => {
    const body = { permissions: ['chat'], name: 'same' };
    const first = await post('/v1/keys', body, { idempotencyKey: 'same-1' });
    const again = await post('/v1/keys', body, { idempotencyKey: 'same-1' });
    assert.equal(first.status, 201, first.text);
    assert.deepEqual([again.status, again.text], [first.status, first.text]);
    assert.match(textAt(again, 'api_key'), /^kf_live_/);
    assert.equal(await countKeys('same'), 1);
  });

  test('is refused for another body and for another path', async () => {
    await post('/v1/keys', { permissions: ['chat'], name: 'other' }, { idempotencyKey: 'other-1' });
    const body = await post(
      '/v1/keys',
      { permissions: ['chat'], name: 'others' },
      { idempotencyKey: 'other-1' },
    );
    assertProblem(body, { status: 422, code: 'idempotency_mismatch' });
    const path = await post('/v1/projects', { name: 'other' }, { idempotencyKey: 'other-1' });
    assertProblem(path, { status: 422, code: 'idempotency_mismatch' });
    assert.equal(await countKeys('others'), 0);
  });

  test('makes one key of requests that meet, and all are told of that one', async () => {
    const body = { permissions: ['chat'], name: 'concurrent' };
    const answers = await Promise.all(
      Array.from({ length: 8 }, () => post('/v1/keys', body, { idempotencyKey: 'concurrent-1' })),
    );
    for (const answer of answers) assert.deepEqual([answer.status, answer.text], [201, answers[0]?.text]);
    assert.equal(await countKeys('concurrent'), 1);
  });

  test('rotates once', async () => {
    const key = await createKey(keyfold());
    const path = `/v1/keys/${textAt(key, 'id')}/rotate`;
    const first = await post(path, {}, { idempotencyKey: 'rotate-1' });
    const again = await post(path, {}, { idempotencyKey: 'rotate-1' });
    assert.equal(first.status, 200, first.text);
    assert.equal(again.text, first.text);
    const shown = await keyfold().request('GET', `/v1/keys/${textAt(key, 'id')}`);
    assert.equal((shown.body['versions'] as unknown[]).length, 2);
  });

  test('belongs to the key that sent it', async () => {
    const body = { permissions: ['chat'], name: 'whose' };
    const first = await post('/v1/keys', body, { idempotencyKey: 'whose-1' });
    const stranger = await post('/v1/keys', body, { idempotencyKey: 'whose-1', key: keyfold().strangerKey });
    assert.deepEqual([first.status, stranger.status], [201, 201]);
    assert.notEqual(textAt(stranger, 'api_key'), textAt(first, 'api_key'));
  });

  test('brings nothing back to a key that may no longer ask', async () => {
    const secret = await createAdmin(keyfold(), 'keys:write');
    const body = { permissions: ['chat'], name: 'revoked' };
    const id = textAt(await keyfold().request('POST', '/v1/keys/verify', { key: secret }), 'key_id');
    const first = await post('/v1/keys', body, { idempotencyKey: 'revoked-1', key: secret });
    assert.equal(first.status, 201, first.text);
    await keyfold().request('DELETE', `/v1/keys/${id}`);
    const again = await post('/v1/keys', body, { idempotencyKey: 'revoked-1', key: secret });
    assertProblem(again, { status: 401, code: 'key_revoked' });
  });

  test('is free again after a refusal', async () => {
    const refused = await post('/v1/keys', { permissions: [] }, { idempotencyKey: 'free-1' });
    assertProblem(refused, { status: 400, code: 'invalid_request' });
    const sound = await post('/v1/keys', { permissions: ['chat'] }, { idempotencyKey: 'free-1' });
    assert.equal(sound.status, 201, sound.text);
  });

  test('remembers no answer of a change that was refused when it met another', async () => {
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        post('/v1/projects', { name: 'contested' }, { idempotencyKey: `contested-${index}` }),
      ),
    );
    assert.equal(answers.filter(({ status }) => status === 201).length, 1);
    for (const [index, answer] of answers.entries()) {
      const again = await post(
        '/v1/projects',
        { name: 'contested' },
        { idempotencyKey: `contested-${index}` },
      );
      if (answer.status === 201) assert.equal(again.text, answer.text);
      else assertProblem(again, { status: 409, code: 'conflict' });
    }
  });

  test('has visible ASCII characters, at most 255', async () => {
    for (const idempotencyKey of ['a b', 'a'.repeat(256), '\u00fc']) {
      const answer = await post('/v1/keys', { permissions: ['chat'] }, { idempotencyKey });
      assertProblem(answer, { status: 400, code: 'invalid_request', param: 'idempotency-key' });
    }
  });
});
