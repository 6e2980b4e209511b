import assert from 'node:assert/strict';
import { test } from 'node:test';
import { describeRouted } from './routed.ts';
import { assertRefused, chatBody, until } from './support.ts';

describeRouted('an Idempotency-Key on a call of several attempts', (routed) => {
  const ask = (name: string, { model = name, stream = false } = {}) =>
    routed().keyfold.request('POST', '/v1/chat/completions', chatBody({ model, stream }), {
      key: routed().key.secret,
      headers: { 'idempotency-key': name },
    });

  for (const stream of [false, true]) {
    const name = stream ? 'streamed' : 'whole';
    test(`brings back the answer of the one that gave it, ${name}`, async () => {
      await routed().addPair(name);
      routed().first.script({ kind: 'status', status: 503 });
      const [seen, other] = [routed().first.calls.length, routed().second.calls.length];
      const first = await ask(name, { stream });
      assert.equal(first.status, 200, first.text);
      const again = await ask(name, { stream });
      assert.equal(again.text, first.text);
      assert.equal(again.headers.get('idempotent-replayed'), 'true');
      assert.equal(again.headers.get('x-keyfold-model'), `${name}-b`);
      assert.deepEqual([routed().first.calls.length, routed().second.calls.length], [seen + 1, other + 1]);
      await routed().attemptsOf(first.headers.get('x-request-id'), 2);
    });
  }

  test('keeps others out while the call pauses between two attempts', async () => {
    await routed().addCredential('paused', { url: routed().first.url });
    await routed().addRoute('pausing', { targets: [{ model: 'openai-compatible/paused' }] });
    // The server says when it wants to be asked again: the pause is long enough to ask within it.
    routed().first.script({ kind: 'status', status: 503, headers: { 'retry-after': '1' } });
    const seen = routed().first.calls.length;
    const first = ask('pausing');
    await routed().first.arrived(seen + 1);
    const isResolved = async () => {
      const { body } = await routed().keyfold.request('GET', `/v1/calls?model=paused`);
      return (body['data'] as unknown[]).length > 0 ? true : undefined;
    };
    await until(isResolved);
    assertRefused(await ask('pausing'), { status: 409, code: 'idempotency_in_flight' });
    assert.equal((await first).status, 200);
    assert.equal((await ask('pausing')).text, (await first).text);
    assert.equal(routed().first.calls.length, seen + 2);
  });
});
