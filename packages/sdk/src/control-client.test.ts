import assert from 'node:assert/strict';
import { inspect } from 'node:util';
import { describe, test } from 'node:test';
import { formatSecret } from '@keyfold/protocol';
import { ManualTiming } from '../test/manual-timing.ts';
import { type ScriptedAnswer, startStandIn } from '../test/stand-in-server.ts';
import { ATTEMPT_TIMEOUT_MS_DEFAULT, KeyfoldClient, type KeyfoldClientOptions } from './control-client.ts';
import { ConnectionError, KeyfoldError, NotFoundError, RateLimitError, UnavailableError } from './errors.ts';

const KEY = formatSecret('admin', new Uint8Array(32).fill(1));
const OTHER_KEY = formatSecret('live', new Uint8Array(32).fill(2));

async function withClient(
  script: readonly ScriptedAnswer[],
  use: (client: KeyfoldClient, server: Awaited<ReturnType<typeof startStandIn>>) => Promise<void>,
  options: Partial<KeyfoldClientOptions> = {},
): Promise<void> {
  await using server = await startStandIn(...script);
  const timing = new ManualTiming({ instantBelowMs: 20_000 });
  await use(new KeyfoldClient({ baseUrl: server.url, key: KEY, timing, ...options }), server);
}

describe('a request to the management API', () => {
  test('carries the key, the query and the body as JSON, and gives the answer back as it is', async () => {
    const answer = { object: 'list', data: [], has_more: false, first_id: null, last_id: null, new: 1 };
    await withClient([{ status: 200, body: answer }], async (client, { requests }) => {
      assert.deepEqual(await client.keys.list({ limit: 5, project_id: 'prj_ä&b' }), answer);
      await client.keys.update('key_1', { name: null });
      const [list, update] = requests;
      assert.equal(list?.path, '/v1/keys?limit=5&project_id=prj_%C3%A4%26b');
      assert.equal(list.headers.authorization, `Bearer ${KEY}`);
      assert.equal(list.headers['content-type'], undefined);
      assert.deepEqual(
        [update?.method, update?.path, update?.body],
        ['PATCH', '/v1/keys/key_1', '{"name":null}'],
      );
      assert.equal(update?.headers['content-type'], 'application/json');
    });
  });

  test('goes where the API has it', async () => {
    await withClient([{ status: 200, body: {} }], async ({ keys, leaks }, { requests }) => {
      await keys.create({ permissions: ['chat'] });
      await keys.get('key_1');
      await keys.revoke('key_1');
      await keys.rotate('key_1', { grace_seconds: 0 });
      await keys.rotateSelf();
      await keys.createChild({ ttl_seconds: 60 });
      await keys.setVersionEnd('key_1', { version: 2, graceSeconds: 60 });
      await keys.rotateSigningSecret('key_1');
      await keys.validate();
      await keys.verify({ key: OTHER_KEY, cost: '0.10' });
      await leaks.report({ secret: OTHER_KEY, url: 'https://example.org/paste' });
      assert.deepEqual(
        requests.map(({ method, path, body }) => [method, path, body]),
        [
          ['POST', '/v1/keys', '{"permissions":["chat"]}'],
          ['GET', '/v1/keys/key_1', ''],
          ['DELETE', '/v1/keys/key_1', ''],
          ['POST', '/v1/keys/key_1/rotate', '{"grace_seconds":0}'],
          ['POST', '/v1/keys/self/rotate', '{}'],
          ['POST', '/v1/keys/self/children', '{"ttl_seconds":60}'],
          ['PATCH', '/v1/keys/key_1/versions/2', '{"grace_seconds":60}'],
          ['POST', '/v1/keys/key_1/signing-secret/rotate', '{}'],
          ['GET', '/v1/keys/validate', ''],
          ['POST', '/v1/keys/verify', `{"key":"${OTHER_KEY}","cost":"0.10"}`],
          ['POST', '/v1/leaks', `{"secret":"${OTHER_KEY}","url":"https://example.org/paste"}`],
        ],
      );
      for (const { method, headers } of requests) {
        assert.equal(headers['idempotency-key'] !== undefined, method === 'POST');
      }
    });
  });

  test('takes the base URL that SDKs want as well, and a path in front of it', async () => {
    await withClient([{ status: 200, body: {} }], async (_, { url, requests }) => {
      for (const path of ['', '/', '/v1', '/v1/', '/keyfold', '/keyfold/v1/']) {
        await new KeyfoldClient({ baseUrl: url + path }).request('GET', '/v1/models');
      }
      const paths = [
        '/v1/models',
        '/v1/models',
        '/v1/models',
        '/v1/models',
        '/keyfold/v1/models',
        '/keyfold/v1/models',
      ];
      assert.deepEqual(
        requests.map(({ path }) => path),
        paths,
      );
    });
  });

  test('that fails throws what the server said', async () => {
    const problem = { title: 'There is nothing here.', status: 404, code: 'not_found', request_id: 'req_1' };
    await withClient([{ status: 404, body: problem }], async (client) => {
      await assert.rejects(client.keys.get('key_1'), (error) => {
        assert.ok(error instanceof NotFoundError);
        assert.deepEqual([error.code, error.requestId], ['not_found', 'req_1']);
        return true;
      });
    });
  });

  test('is answered by Keyfold or is an error', async () => {
    for (const body of ['<html></html>', '{"half":']) {
      await withClient([{ status: 200, body }], async (client) => {
        await assert.rejects(
          client.keys.get('key_1'),
          (error) => error instanceof UnavailableError && error.code === 'not_keyfold',
        );
      });
    }
    await withClient([{ status: 204 }], async (client) => {
      assert.equal(await client.request('DELETE', '/v1/thing'), undefined);
    });
  });
});

describe('a POST whose answer was lost', () => {
  const created = { status: 201, body: { id: 'key_1' } };
  for (const loss of ['reset', 'half', { status: 502 }] as const) {
    test(`(${JSON.stringify(loss)}) is sent again under its Idempotency-Key`, async () => {
      await withClient([loss, loss, created], async (client, { requests }) => {
        assert.deepEqual(await client.keys.create({ permissions: ['chat'] }), created.body);
        const sent = requests.map(({ headers }) => headers['idempotency-key']);
        assert.equal(sent.length, 3);
        assert.match(String(sent[0]), /^[0-9a-f]{32}$/);
        assert.equal(new Set(sent).size, 1);
      });
    });
  }

  test('gets another Idempotency-Key when it is another request, and the one that it was given', async () => {
    await withClient([created], async (client, { requests }) => {
      await client.keys.create({ permissions: ['chat'] });
      await client.keys.create({ permissions: ['chat'] });
      await client.keys.create({ permissions: ['chat'] }, { idempotencyKey: 'order-17' });
      const [first, second, third] = requests.map(({ headers }) => headers['idempotency-key']);
      assert.notEqual(first, second);
      assert.equal(third, 'order-17');
    });
  });

  test('is an error when it stays lost, which does not say that nothing was done', async () => {
    await withClient(['reset'], async (client, { requests, url }) => {
      await assert.rejects(client.keys.create({ permissions: ['chat'] }), (error) => {
        assert.ok(error instanceof ConnectionError && error.status === undefined);
        assert.deepEqual([error.code, error.shouldRetry], ['connection_failed', true]);
        assert.ok(error.message.startsWith(url));
        return true;
      });
      assert.equal(requests.length, 3);
    });
  });
});

describe('patience', () => {
  test('an attempt that takes too long is given up and made again', async () => {
    await using server = await startStandIn('hang', { status: 200, body: { id: 'key_1' } });
    const timing = new ManualTiming();
    const asked = new KeyfoldClient({ baseUrl: server.url, key: KEY, timing }).keys.get('key_1');
    await server.received(1);
    await timing.advance(ATTEMPT_TIMEOUT_MS_DEFAULT);
    // The pause before the second attempt.
    await timing.advance(1_000);
    assert.deepEqual(await asked, { id: 'key_1' });
  });

  test('ends after the last attempt with an error that says so', async () => {
    await using server = await startStandIn('hang');
    const timing = new ManualTiming();
    const client = new KeyfoldClient({
      baseUrl: server.url,
      timing,
      attemptsMax: 1,
      attemptTimeoutMs: 5_000,
    });
    const asked = client.keys.get('key_1');
    await server.received(1);
    const ended = assert.rejects(
      asked,
      (error) => error instanceof ConnectionError && error.code === 'timeout',
    );
    await timing.advance(5_000);
    await ended;
    assert.equal(timing.pending, 0);
  });

  test("ends at once when the caller's signal does, with its reason", async () => {
    await withClient(['hang'], async (client, server) => {
      const gone = new AbortController();
      const asked = client.keys.get('key_1', { signal: gone.signal });
      await server.received(1);
      const reason = new Error('the user has left');
      gone.abort(reason);
      await assert.rejects(asked, reason);
    });
  });

  test('is not asked for longer than is bearable', async () => {
    const headers = { 'retry-after': '3600' };
    await withClient(
      [{ status: 429, headers, body: { code: 'rate_limit_exceeded' } }],
      async (client, { requests }) => {
        await assert.rejects(
          client.keys.get('key_1'),
          (error) => error instanceof RateLimitError && error.retryAfterMs === 3_600_000,
        );
        assert.equal(requests.length, 1);
      },
    );
  });
});

describe('the key', () => {
  test('is asked for at every attempt where it changes', async () => {
    const keys = [KEY, OTHER_KEY];
    const key = () => keys.shift() ?? '';
    await withClient(
      ['reset', { status: 200, body: {} }],
      async (client, { requests }) => {
        await client.keys.get('key_1');
        const sent = requests.map(({ headers }) => headers.authorization);
        assert.deepEqual(sent, [`Bearer ${KEY}`, `Bearer ${OTHER_KEY}`]);
      },
      { key },
    );
  });

  test('another one asks the same server; a fetch that signs for the first is not taken along', async () => {
    await withClient([{ status: 200, body: {} }], async (client, { requests, url }) => {
      await client.withKey(OTHER_KEY).keys.get('key_1');
      const signing: typeof fetch = (input, init) =>
        fetch(input, { ...init, headers: { 'x-signature': 'signed' } });
      const signed = new KeyfoldClient({ baseUrl: url, fetch: signing });
      await signed.keys.get('key_1');
      await signed.keys.validate(OTHER_KEY);
      const sent = requests.map(({ headers }) => [headers.authorization, headers['x-signature']]);
      assert.deepEqual(sent, [
        [`Bearer ${OTHER_KEY}`, undefined],
        [undefined, 'signed'],
        [`Bearer ${OTHER_KEY}`, undefined],
      ]);
    });
  });

  test('that is not valid is an answer to validate, and an error to everything else', async () => {
    const error = { code: 'key_revoked', message: 'The key has been revoked.' };
    await withClient([{ status: 401, body: { valid: false, error } }], async (client) => {
      assert.deepEqual(await client.keys.validate(OTHER_KEY), { valid: false, error });
      await assert.rejects(client.keys.get('key_1'), { name: 'AuthenticationError' });
    });
    await withClient([{ status: 503 }], async (client) => {
      await assert.rejects(client.keys.validate(OTHER_KEY), UnavailableError);
    });
  });

  test('never shows: not in a client that is logged, nor in an error about it', async () => {
    await withClient(['reset'], async (client) => {
      const failure: unknown = await client.keys.get('key_1').catch((error: unknown) => error);
      assert.ok(failure instanceof KeyfoldError);
      for (const shown of [client, failure])
        assert.ok(!inspect(shown, { depth: 9, showHidden: true }).includes(KEY));
    });
    const url = 'http://127.0.0.1:1';
    for (const key of [`${KEY}\n`, `${KEY} `, '', 'ké']) {
      assert.throws(
        () => new KeyfoldClient({ baseUrl: url, key }),
        (error) => error instanceof TypeError && !error.message.includes(KEY),
      );
    }
    const client = new KeyfoldClient({ baseUrl: url, key: () => `${KEY}\n`, attemptsMax: 1 });
    const failure: unknown = await client.keys.get('key_1').catch((error: unknown) => error);
    assert.ok(!inspect(failure, { depth: 9 }).includes(KEY));
  });

  test('does not follow a redirection', async () => {
    await using elsewhere = await startStandIn({ status: 200, body: {} });
    const redirection = { status: 307, headers: { location: `${elsewhere.url}/v1/keys` } };
    await withClient([redirection], async (client) => {
      await assert.rejects(client.keys.get('key_1'), ConnectionError);
    });
    assert.equal(elsewhere.requests.length, 0);
  });

  test('leaves this machine only encrypted, unless that is permitted', () => {
    for (const baseUrl of ['http://keyfold.example', 'http://10.0.0.1', 'http://localhost.example.org']) {
      assert.throws(() => new KeyfoldClient({ baseUrl, key: KEY }), /unencrypted/);
      assert.ok(new KeyfoldClient({ baseUrl, key: KEY, allowPlaintext: true }));
    }
    for (const baseUrl of [
      'https://keyfold.example',
      'http://localhost:1',
      'http://127.0.0.1',
      'http://[::1]:1',
    ]) {
      assert.ok(new KeyfoldClient({ baseUrl, key: KEY }));
    }
  });

  test('goes to the server that was named, whatever the path or id', async () => {
    for (const baseUrl of [
      '',
      'keyfold',
      'ftp://a',
      'https://user:pw@a',
      'https://a/?key=1',
      'https://a/#x',
    ]) {
      assert.throws(() => new KeyfoldClient({ baseUrl }), /baseUrl/);
    }
    const client = new KeyfoldClient({
      baseUrl: 'https://keyfold.example',
      key: KEY,
      fetch: () => assert.fail(),
    });
    for (const path of [
      '',
      'v1/keys',
      '//evil.example/',
      '/\\evil.example',
      '@evil.example',
      '.evil.example',
    ]) {
      await assert.rejects(client.request('GET', path), TypeError);
    }
    for (const id of ['', '..', 'a/b', 'key_1?x', 'key 1', 'ä', 'k'.repeat(101)]) {
      await assert.rejects(async () => client.keys.get(id), TypeError);
    }
  });
});
