import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { DATABASE_KINDS } from '../databases.ts';
import { startTestKeyfold } from '../keyfold.ts';

/** A request whose head has arrived and whose body has not. */
async function sendHead(url: string, of: { path: string; key: string; bodyBytes: number }): Promise<Socket> {
  const { hostname, port, host } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.write(
    `POST ${of.path} HTTP/1.1\r\nhost: ${host}\r\nauthorization: Bearer ${of.key}\r\ncontent-type: application/json\r\ncontent-length: ${of.bodyBytes}\r\n\r\n{`,
  );
  return socket;
}

async function answerOf(socket: Socket, rest: string): Promise<string> {
  socket.write(rest);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return chunk.toString('utf8');
}

for (const kind of DATABASE_KINDS) {
  describe(`containment on ${kind.name}`, () => {
    test('an admin key that is revoked while its request is still arriving changes nothing', async () => {
      await using keyfold = await startTestKeyfold(kind);
      const made = await keyfold.request('POST', '/v1/keys', { kind: 'admin', permissions: ['keys:write'] });
      const body = '{"kind":"admin","permissions":["keys:write"]}';
      const key = String(made.body['api_key']);
      const socket = await sendHead(keyfold.url, { path: '/v1/keys', key, bodyBytes: body.length });
      // The key was good when the head came: another request on it proves that it has been seen.
      assert.equal((await keyfold.request('GET', '/v1/keys/validate', undefined, key)).status, 200);
      assert.equal((await keyfold.request('DELETE', `/v1/keys/${String(made.body['id'])}`)).status, 200);
      const before = (await keyfold.request('GET', '/v1/keys')).text;
      assert.match(await answerOf(socket, body.slice(1)), /^HTTP\/1\.1 401 /);
      assert.equal((await keyfold.request('GET', '/v1/keys')).text, before);
    });

    test('twenty changes at once by one key all take effect', async () => {
      await using keyfold = await startTestKeyfold(kind);
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          keyfold.request('POST', '/v1/projects', { name: `project ${index}` }),
        ),
      );
      assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [201]);
    });
  });
}

describe('stopping', () => {
  test('a client that never finishes its body does not keep the process', async () => {
    const kind = DATABASE_KINDS[0] ?? assert.fail();
    const keyfold = await startTestKeyfold(kind, { stopTimeoutMs: 300 });
    const made = await keyfold.request('POST', '/v1/keys', { permissions: ['chat'] });
    const socket = await sendHead(keyfold.url, {
      path: '/v1/chat/completions',
      key: String(made.body['api_key']),
      bodyBytes: 1_000,
    });
    const startedMs = performance.now();
    await keyfold.stop();
    assert.ok(performance.now() - startedMs < 5_000);
    socket.destroy();
  });
});
