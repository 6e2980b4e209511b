import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findEvent, textAt } from '../control/support.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { startTestKeyfold } from '../keyfold.ts';
import { isSignedWith, startReceiver } from './receiver.ts';

for (const kind of DATABASE_KINDS) {
  test(`a webhook signs with its secret, with both while one is replaced, and wherever it leads, on ${kind.name}`, async () => {
    await using receiver = await startReceiver();
    await using keyfold = await startTestKeyfold(kind, { webhookNetworks: ['127.0.0.1'] });
    const made = await keyfold.request('POST', '/v1/webhooks', { name: 'pager', url: receiver.url });
    assert.equal(made.status, 201, made.text);
    const path = `/v1/webhooks/${textAt(made, 'id')}`;
    const ask = async () => {
      const answer = await keyfold.request('POST', `${path}/test`);
      assert.equal(answer.status, 200, answer.text);
      const message = receiver.received.at(-1);
      assert.ok(message);
      return { answer, message };
    };
    const first = await ask();
    assert.partialDeepStrictEqual(first.answer.body, { delivered: true, status: 200, error: null });
    assert.equal(first.message.id, first.answer.body['message_id']);
    assert.equal(first.message.body.type, 'webhook.test');
    assert.ok(isSignedWith(textAt(made, 'secret'), first.message));

    const rotated = await keyfold.request('POST', `${path}/rotate`);
    const secrets = [textAt(made, 'secret'), textAt(rotated, 'secret')];
    const second = await ask();
    assert.deepEqual(
      secrets.map((secret) => isSignedWith(secret, second.message)),
      [true, true],
    );
    const moved = await keyfold.request('PATCH', path, { url: `${receiver.url}/other`, name: 'moved' });
    assert.equal(moved.status, 200, moved.text);
    const third = await ask();
    assert.deepEqual(
      secrets.map((secret) => isSignedWith(secret, third.message)),
      [true, true],
    );
    receiver.script(500);
    const failed = await keyfold.request('POST', `${path}/test`);
    assert.partialDeepStrictEqual(failed.body, { delivered: false, status: 500, error: 'status' });
    await findEvent(keyfold, { action: 'webhook.tested', target: textAt(made, 'id') });
    const stored = await keyfold.readStored();
    for (const secret of secrets) assert.ok(!stored.includes(secret.slice(6)));
  });
}
