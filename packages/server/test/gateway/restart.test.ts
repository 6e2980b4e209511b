import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rowsOf } from '../control/support.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { sendJson } from '../keyfold.ts';
import { type KeyfoldProcess, createKeyfoldProcess } from '../keyfold-process.ts';
import { startMockProvider } from '../mock-provider.ts';
import { MODEL, addModel, assertRefused, chatBody, issueKey } from './support.ts';

for (const kind of DATABASE_KINDS) {
  describe(`a process that starts again, on ${kind.name}`, () => {
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      test(`after ${signal} knows its keys, and its rate limits begin anew, full`, async () => {
        await using provider = await startMockProvider();
        await using keyfold = await createKeyfoldProcess(kind);
        await keyfold.start();
        const admin = { provider, keyfold: { request: requestOf(keyfold) } };
        await addModel(admin, { name: MODEL, input: '1', output: '2' });
        const key = await issueKey(admin, { rate_limit: 2 });
        const chat = () => requestOf(keyfold, key.secret)('POST', '/v1/chat/completions', chatBody());
        for (let call = 0; call < 2; call++) assert.equal((await chat()).status, 200);
        assertRefused(await chat(), { status: 429, code: 'rate_limit_exceeded' });
        await keyfold.signal(signal);
        await keyfold.start();
        for (let call = 0; call < 2; call++) assert.equal((await chat()).status, 200);
        assertRefused(await chat(), { status: 429, code: 'rate_limit_exceeded' });
      });
    }

    test('after a stop has written out the refusals that it had only counted', async () => {
      await using keyfold = await createKeyfoldProcess(kind);
      await keyfold.start();
      const refused = await requestOf(keyfold, 'not a key')('POST', '/v1/chat/completions', chatBody());
      assert.equal(refused.status, 401, refused.text);
      assert.equal(await keyfold.signal('SIGTERM'), 0);
      await keyfold.start();
      const events = rowsOf(await requestOf(keyfold)('GET', '/v1/audit/events?limit=100'));
      assert.ok(
        events.some(({ action }) => action === 'unauthenticated.refused'),
        JSON.stringify(events),
      );
    });
  });
}

function requestOf(keyfold: KeyfoldProcess, key = keyfold.adminKey) {
  return (method: string, path: string, body?: unknown) =>
    sendJson(`${keyfold.url}${path}`, { method, body, options: { key } });
}
