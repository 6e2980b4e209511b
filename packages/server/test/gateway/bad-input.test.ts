import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, mock, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { systemClock } from '../../src/kernel/clock.ts';
import { Denial } from '../../src/kernel/denial.ts';
import { SystemRandom } from '../../src/kernel/random.ts';
import { Authenticator } from '../../src/keys/authenticate.ts';
import { KeyHasher } from '../../src/keys/key-hash.ts';
import { KeyStore } from '../../src/keys/key-store.ts';
import { openRootKey } from '../../src/sealing/root-key.ts';
import { RowMac } from '../../src/sealing/row-mac.ts';
import { rowsOf } from '../control/support.ts';
import { DATABASE_KINDS } from '../databases.ts';
import type { Body } from '../keyfold.ts';
import { type RawRequest, sendBytes, sendRaw } from './raw-request.ts';
import {
  type Gateway,
  type IssuedKey,
  MODEL,
  addModel,
  assertRefused,
  auditOf,
  budgetsOf,
  call,
  callsOf,
  chatBody,
  describeGateway,
  issueKey,
  until,
} from './support.ts';

const CHAT = '/v1/chat/completions';
const BODY = JSON.stringify(chatBody());
const BODY_BYTES_MAX = 10 * 1_048_576;
const CONFIG = { bodyBytesMax: BODY_BYTES_MAX };
/** Refusals of strangers are summed up every ten seconds. */
const SUMMARY_TIMEOUT_MS = 15_000;
/** The format's own example: well formed, and issued by nobody. */
const UNKNOWN_KEY = 'kf_live_42un7GJ8wIAbHDnhePy2Mqo9gkXYFS7sXjeCn1f4haT0f9OAG';
const WRONG_CHECKSUM = `${UNKNOWN_KEY.slice(0, -1)}H`;

interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly param?: string | null;
}

const MALFORMED: Refusal = { status: 400, code: 'invalid_request' };

describeGateway('before a key is looked at', { config: CONFIG }, (gateway) => {
  /** How often each code was refused so far without a key that vouches for the caller. */
  const counted = new Map<string, number>();
  const count = (code: string) => counted.set(code, (counted.get(code) ?? 0) + 1);

  const refuses = (name: string, request: (secret: string) => RawRequest, refusal: Refusal) => {
    test(`${name} is refused with ${refusal.status} ${refusal.code}`, async () => {
      const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
      await assertNoEffect(gateway(), key, async () => {
        const answer = await sendRaw(gateway().keyfold.url, request(key.secret));
        assertRefused(answer, refusal);
        assert.ok(!answer.text.includes(key.secret));
        count(refusal.code);
      });
    });
  };
  const bearer = (secret: string): [string, string] => ['Authorization', `Bearer ${secret}`];

  const twice: readonly [string, string, string][] = [
    ['Host', 'keyfold.example', 'keyfold.example'],
    ['Content-Type', 'application/json', 'application/json'],
    ['Content-Length', String(BODY.length), String(BODY.length)],
    ['X-Api-Key', UNKNOWN_KEY, UNKNOWN_KEY],
    ['X-Signature', 'a', 'b'],
    ['X-Signature-Version', '2', '2'],
    ['X-Key-Id', 'a', 'a'],
    ['X-Timestamp', '1700000000', '1700000001'],
    ['X-Nonce', 'a', 'b'],
    ['Idempotency-Key', 'a', 'a'],
  ];
  for (const [name, first, second] of twice) {
    refuses(
      `a second ${name}`,
      (secret) => ({
        target: CHAT,
        headers: [...(name === 'X-Api-Key' ? [] : [bearer(secret)]), [name, first], [name, second]],
        body: BODY,
      }),
      MALFORMED,
    );
  }
  refuses(
    'a second Authorization, though it is the same',
    (secret) => ({ target: CHAT, headers: [bearer(secret), bearer(secret)], body: BODY }),
    MALFORMED,
  );
  refuses(
    'a second Authorization in another case',
    (secret) => ({ target: CHAT, headers: [bearer(secret), ['AUTHORIZATION', 'Bearer x']], body: BODY }),
    MALFORMED,
  );
  refuses(
    'another key in another header',
    (secret) => ({ target: CHAT, headers: [bearer(secret), ['x-api-key', UNKNOWN_KEY]], body: BODY }),
    MALFORMED,
  );
  refuses(
    'a length beside a transfer encoding',
    (secret) => ({
      target: CHAT,
      headers: [bearer(secret), ['Content-Length', '0'], ['Transfer-Encoding', 'chunked']],
      body: '0\r\n\r\n',
    }),
    MALFORMED,
  );

  for (const target of [
    '//v1/chat/completions',
    '/v1//chat/completions',
    '/v1/chat/completions//',
    '/v1/./chat/completions',
    '/v1/../v1/chat/completions',
    '/v1/chat/completions/..',
    '/v1%2fchat/completions',
    '/v1%2Fchat/completions',
    '/v1/chat%5ccompletions',
    '/v1/%2e%2e/v1/chat/completions',
    '/v1/chat/completions%00',
    '/v1\\chat/completions',
    'http://keyfold.example/v1/chat/completions',
    'http://127.0.0.1/v1/keys',
    '/v1/chat/completions#fragment',
    '*',
  ]) {
    refuses(`the path ${target}`, (secret) => ({ target, headers: [bearer(secret)], body: BODY }), MALFORMED);
  }
  for (const path of [CHAT, '/v1/models', '/v1/keys/validate', '/nowhere']) {
    refuses(
      `a key in the query of ${path}`,
      (secret) => ({ target: `${path}?a=1&api_key=${secret}`, headers: [bearer(secret)], body: BODY }),
      { status: 400, code: 'secret_in_url' },
    );
  }
  refuses(
    'a key in the query under any name',
    (secret) => ({ target: `${CHAT}?innocent=${secret}`, headers: [bearer(secret)], body: BODY }),
    { status: 400, code: 'secret_in_url' },
  );
  for (const encoding of ['gzip', 'br', 'deflate', 'identity, gzip']) {
    refuses(
      `a body with content encoding ${encoding}`,
      (secret) => ({ target: CHAT, headers: [bearer(secret), ['Content-Encoding', encoding]], body: BODY }),
      { status: 415, code: 'unsupported_media_type' },
    );
  }
  refuses(
    'a request with 101 headers and its key as the last',
    (secret) => ({
      target: CHAT,
      headers: [
        ...Array.from({ length: 98 }, (_, index): [string, string] => [`x-filler-${index}`, 'a']),
        bearer(secret),
      ],
      body: BODY,
    }),
    { status: 431, code: 'headers_too_large' },
  );
  refuses(
    'a request with 300 headers',
    (secret) => ({
      target: CHAT,
      headers: [
        bearer(secret),
        ...Array.from({ length: 300 }, (_, index): [string, string] => [`x-${index}`, 'a']),
      ],
      body: BODY,
    }),
    { status: 431, code: 'headers_too_large' },
  );
  refuses(
    'a header of 17 kB',
    (secret) => ({ target: CHAT, headers: [bearer(secret), ['x-filler', 'a'.repeat(17_000)]], body: BODY }),
    { status: 431, code: 'headers_too_large' },
  );
  refuses(
    'another method than POST on a path that can spend',
    (secret) => ({ method: 'GET', target: CHAT, headers: [bearer(secret)] }),
    { status: 405, code: 'method_not_allowed' },
  );
  refuses(
    'a header with a line break in its name',
    (secret) => ({ target: CHAT, headers: [bearer(secret), ['x a', 'b']], body: BODY }),
    MALFORMED,
  );

  const keys: readonly [string, string | undefined][] = [
    ['no key', undefined],
    ['a key with a wrong checksum', WRONG_CHECKSUM],
    ['a key that nobody was given', UNKNOWN_KEY],
    ["another vendor's key", 'sk-proj-0123456789'],
    ['a key with blanks in it', 'kf_live_ 42un'],
    ['an empty key', ''],
  ];
  for (const [name, secret] of keys) {
    refuses(
      name,
      () => ({ target: CHAT, headers: secret === undefined ? [] : [bearer(secret)], body: BODY }),
      { status: 401, code: 'invalid_api_key' },
    );
  }
  refuses(
    'a signing secret for a key',
    (secret) => ({
      target: CHAT,
      headers: [['x-goog-api-key', secret.replace('kf_live', 'kf_sig')]],
      body: BODY,
    }),
    { status: 401, code: 'invalid_api_key' },
  );

  test('a body is not waited for when the key is wrong', async () => {
    const head = `POST ${CHAT} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${WRONG_CHECKSUM}\r\nContent-Length: 1000\r\n\r\n`;
    const answer = await sendBytes(gateway().keyfold.url, head);
    assertRefused(answer, { status: 401, code: 'invalid_api_key' });
    assert.equal(answer.headers.get('connection'), 'close');
    assert.ok(answer.isClosed, 'what follows must not be taken for a request');
    count('invalid_api_key');
  });

  test('an unknown path is 404, also with a key', async () => {
    const key = await issueKey(gateway());
    for (const path of ['/v1/nothing', '/', '/v1/chat/completions/', '/V1/chat/completions', '/v2/keys']) {
      const answer = await sendRaw(gateway().keyfold.url, {
        target: path,
        headers: [bearer(key.secret)],
        body: BODY,
      });
      assert.deepEqual([answer.status, answer.body['code']], [404, 'not_found'], answer.text);
      count('not_found');
    }
  });

  test('headers that never end are given up after ten seconds with 408', async () => {
    const startMs = Date.now();
    const answer = await sendBytes(gateway().keyfold.url, `POST ${CHAT} HTTP/1.1\r\nHost: a\r\nX-Slow: `);
    assertRefused(answer, { status: 408, code: 'request_timeout' });
    assert.ok(answer.isClosed);
    assert.ok(Date.now() - startMs >= 9_000);
    count('request_timeout');
  });

  test('each of these refusals is in the audit log, in sums and without a word of what was sent', async () => {
    let sums: ReadonlyMap<string, number> = new Map();
    const expected = [...counted].sort();
    await until(async () => {
      sums = await sumRefusals(gateway());
      return isDeepStrictEqual([...sums].sort(), expected) ? true : undefined;
    }, SUMMARY_TIMEOUT_MS).catch(() => undefined);
    assert.deepEqual([...sums].sort(), expected);
  });
});

describeGateway('once a key is known', { config: CONFIG }, (gateway) => {
  const bodies: readonly [string, string | Buffer, Refusal][] = [
    ['nothing', '', MALFORMED],
    ['a list', '[]', MALFORMED],
    ['text', '"model"', MALFORMED],
    ['an object that does not end', '{"model":"a"', MALFORMED],
    ['an object and more', '{"model":"stand-in"} {}', MALFORMED],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), MALFORMED],
    ['an object 65 deep', withField('deep', '['.repeat(64) + ']'.repeat(64)), MALFORMED],
    ['a duplicate key', withField('user', '"a","user":"b"'), MALFORMED],
    ['a duplicate key that is escaped', withField('user', '"a","\\u0075ser":"b"'), MALFORMED],
    ['a duplicate key far inside', withField('metadata', '{"a":[{"b":1,"b":2}]}'), MALFORMED],
    ['a duplicate max_tokens', withField('max_tokens', '1,"max_tokens":1000000'), MALFORMED],
    ['a duplicate model', withField('model', '"sandbox/echo"'), MALFORMED],
    ['the key __proto__', withField('metadata', '{"__proto__":{"admin":true}}'), MALFORMED],
    ['the key constructor', withField('constructor', '{}'), MALFORMED],
    ['the key prototype', withField('prototype', '{}'), MALFORMED],
    ['a lone high surrogate', withField('user', '"\\ud800"'), MALFORMED],
    ['a lone low surrogate', withField('user', '"\\udc00a"'), MALFORMED],
    ['a negative max_tokens', withField('max_tokens', '-1'), { ...MALFORMED, param: 'max_tokens' }],
    ['a fractional max_tokens', withField('max_tokens', '1.5'), { ...MALFORMED, param: 'max_tokens' }],
    ['a huge max_tokens', withField('max_tokens', '1e300'), { ...MALFORMED, param: 'max_tokens' }],
    ['a max_tokens beyond the integers', withField('max_tokens', '9007199254740993'), MALFORMED],
    ['a max_tokens of text', withField('max_tokens', '"10"'), { ...MALFORMED, param: 'max_tokens' }],
    ['a max_tokens that is a list', withField('max_tokens', '[10]'), { ...MALFORMED, param: 'max_tokens' }],
    [
      'a negative max_completion_tokens',
      withField('max_completion_tokens', '-5'),
      { ...MALFORMED, param: 'max_completion_tokens' },
    ],
    ['129 choices', withField('n', '129'), { ...MALFORMED, param: 'n' }],
    ['no choice', withField('n', '0'), { ...MALFORMED, param: 'n' }],
    ['a fraction of a choice', withField('n', '1.5'), { ...MALFORMED, param: 'n' }],
    ['a stream that is neither true nor false', withField('stream', '"yes"'), MALFORMED],
    ['no model', '{"messages":[]}', { ...MALFORMED, param: 'model' }],
    ['a model that is no text', '{"model":["a"],"messages":[]}', { ...MALFORMED, param: 'model' }],
    [
      'a model with a name of 300 characters',
      JSON.stringify(chatBody({ model: 'm'.repeat(300) })),
      MALFORMED,
    ],
    [
      'a model that nobody offers',
      JSON.stringify(chatBody({ model: 'no-such-model' })),
      { status: 404, code: 'model_not_found', param: 'model' },
    ],
    [
      'a web search, which has no price',
      JSON.stringify(chatBody({ web_search_options: {} })),
      { status: 400, code: 'unsupported_parameter', param: 'web_search_options' },
    ],
    [
      'a priority tier, which has no price',
      JSON.stringify(chatBody({ service_tier: 'priority' })),
      { status: 400, code: 'unsupported_parameter', param: 'service_tier' },
    ],
  ];
  for (const [name, body, refusal] of bodies) {
    test(`a body of ${name} is refused with ${refusal.status} ${refusal.code}`, async () => {
      const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
      await assertNoEffect(gateway(), key, async () => {
        const answer = await sendRaw(gateway().keyfold.url, {
          target: CHAT,
          headers: [['Authorization', `Bearer ${key.secret}`]],
          body,
        });
        assertRefused(answer, refusal);
        await assertRecorded(gateway(), {
          key,
          requestId: answer.headers.get('x-request-id'),
          code: refusal.code,
        });
      });
    });
  }

  for (const how of ['declared', 'chunked'] as const) {
    test(`a body of 10 MB and one byte, ${how}, is refused with 413 and not read to its end`, async () => {
      const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
      const authorization: [string, string] = ['Authorization', `Bearer ${key.secret}`];
      await assertNoEffect(gateway(), key, async () => {
        const answer = await sendRaw(gateway().keyfold.url, {
          target: CHAT,
          ...(how === 'declared'
            ? { headers: [authorization, ['Content-Length', String(BODY_BYTES_MAX + 1)]], body: '{"model":' }
            : {
                headers: [authorization, ['Transfer-Encoding', 'chunked']],
                // One chunk that says it is longer than what is sent.
                body: `${(2 * BODY_BYTES_MAX).toString(16)}\r\n${'a'.repeat(BODY_BYTES_MAX + 1)}`,
              }),
        });
        assertRefused(answer, { status: 413, code: 'payload_too_large' });
        assert.equal(answer.headers.get('connection'), 'close');
        const requestId = answer.headers.get('x-request-id');
        await assertRecorded(gateway(), { key, requestId, code: 'payload_too_large' });
      });
    });
  }

  test('a body of exactly 10 MB is read', async () => {
    const key = await issueKey(gateway());
    const body = JSON.stringify(chatBody({ user: '' }));
    const padded = body.replace('"user":""', `"user":"${'a'.repeat(BODY_BYTES_MAX - body.length)}"`);
    assert.equal(padded.length, BODY_BYTES_MAX);
    assert.equal((await call(gateway(), key.secret, padded)).status, 200);
  });

  test('a client that leaves in the middle of its body has no effect', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
    await assertNoEffect(gateway(), key, async () => {
      const { hostname, port } = new URL(gateway().keyfold.url);
      const socket = connect(Number(port), hostname);
      socket.end(
        `POST ${CHAT} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${key.secret}\r\nContent-Length: 1000\r\n\r\n${BODY}`,
      );
      await until(async () => {
        const events = rowsOf(await gateway().keyfold.request('GET', '/v1/audit/events?limit=20'));
        return events.find(({ actor, action }) => actor === key.id && action === 'call.refused');
      });
      socket.destroy();
    });
  });

  test('clients that leave as soon as they have asked leave nothing held, and no call without an end', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
    const { hostname, port } = new URL(gateway().keyfold.url);
    const body = JSON.stringify(chatBody({ stream: true }));
    const head = `POST ${CHAT} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${key.secret}\r\nContent-Length: ${body.length}\r\n\r\n`;
    const sockets = Array.from({ length: 100 }, () => connect(Number(port), hostname));
    for (const socket of sockets)
      socket.on('error', () => undefined).write(head + body, () => socket.destroy());
    const metrics = await until(async () => {
      if (!sockets.every(({ destroyed }) => destroyed)) return undefined;
      const { text } = await gateway().keyfold.request('GET', '/metrics');
      const isQuiet = /^keyfold_calls_running\S* 0$/m.test(text);
      const isSettled = (await budgetsOf(gateway(), key)).every((budget) => Number(budget['held_usd']) === 0);
      return isQuiet && isSettled ? text : undefined;
    });
    assert.match(metrics, /keyfold_calls_running/);
    const { status } = await call(gateway(), key.secret);
    assert.equal(status, 200);
  });

  test('an expired key is refused with 401 key_expired', async () => {
    const expiresAt = new Date(Date.now() + 500).toISOString();
    const key = await issueKey(gateway(), { expires_at: expiresAt });
    const before = gateway().provider.calls.length;
    const answer = await until(async () => {
      if (Date.now() < Date.parse(expiresAt)) return undefined;
      return call(gateway(), key.secret);
    });
    assertRefused(answer, { status: 401, code: 'key_expired' });
    assert.equal(gateway().provider.calls.length, before);
  });

  test('a revoked key is refused with 401 key_revoked from the next call on', async () => {
    const key = await issueKey(gateway());
    assert.equal((await call(gateway(), key.secret)).status, 200);
    const before = gateway().provider.calls.length;
    assert.equal((await gateway().keyfold.request('DELETE', `/v1/keys/${key.id}`)).status, 200);
    assertRefused(await call(gateway(), key.secret), { status: 401, code: 'key_revoked' });
    assert.equal(gateway().provider.calls.length, before);
  });

  test('refusals of keys that were valid once are in the audit log', async () => {
    const sums = await until(async () => {
      const seen = await sumRefusals(gateway());
      return seen.has('key_expired') && seen.has('key_revoked') ? seen : undefined;
    }, SUMMARY_TIMEOUT_MS);
    assert.deepEqual([sums.get('key_expired'), sums.get('key_revoked')], [1, 1]);
  });

  const keys: readonly [string, object, object, Refusal][] = [
    ['that allows other models', { models: ['gpt-*'] }, {}, { status: 403, code: 'model_not_allowed' }],
    [
      'that allows other networks',
      { networks: ['10.0.0.0/8', '2001:db8::/32'] },
      {},
      { status: 403, code: 'network_not_allowed' },
    ],
    ['that may only embed', { permissions: ['embeddings'] }, {}, { status: 403, code: 'permission_denied' }],
    [
      'that administers',
      { kind: 'admin', permissions: ['*'] },
      {},
      { status: 403, code: 'permission_denied' },
    ],
    [
      'under a budget, for a model without a price,',
      { budgets: { total_usd: '1' } },
      { model: 'unpriced' },
      { status: 400, code: 'model_unpriced', param: 'model' },
    ],
  ];
  for (const [name, rules, fields, refusal] of keys) {
    test(`a call with a key ${name} is refused with ${refusal.status} ${refusal.code}`, async () => {
      if ('model' in fields) await addModel(gateway(), { name: String(fields.model) });
      const key = await issueKey(gateway(), rules);
      const before = gateway().provider.calls.length;
      const answer = await call(gateway(), key.secret, chatBody(fields));
      assertRefused(answer, refusal);
      assert.equal(gateway().provider.calls.length, before);
      assert.deepEqual(await callsOf(gateway(), key), []);
      const requestId = answer.headers.get('x-request-id');
      await assertRecorded(gateway(), { key, requestId, code: refusal.code });
    });
  }
});

describeGateway('a key in a URL', { config: { logLevel: 'trace' } }, (gateway) => {
  test('is in no log line, no audit record and no answer', async () => {
    const key = await issueKey(gateway());
    const lines: string[] = [];
    const write = mock.method(process.stderr, 'write', (line: string | Uint8Array) => {
      lines.push(String(line));
      return true;
    });
    try {
      for (const target of [
        `${CHAT}?key=${key.secret}`,
        `/v1/models?k=${key.secret}`,
        `/nowhere/${key.secret}`,
      ]) {
        const answer = await sendRaw(gateway().keyfold.url, { target, headers: [], body: BODY });
        assert.ok(answer.status === 400 || answer.status === 404, answer.text);
        assert.ok(!answer.text.includes(key.secret), answer.text);
      }
      await until(
        async () => ((await sumRefusals(gateway())).has('secret_in_url') ? true : undefined),
        SUMMARY_TIMEOUT_MS,
      );
    } finally {
      write.mock.restore();
    }
    assert.ok(!lines.join('').includes(key.secret), lines.join(''));
    assert.ok(!(await gateway().keyfold.readStored()).includes(key.secret));
  });
});

for (const kind of DATABASE_KINDS) {
  describe(`a key with a wrong checksum, on ${kind.name}`, () => {
    test('is refused without touching storage', async () => {
      const directory = mkdtempSync(join(tmpdir(), 'keyfold-bad-input-'));
      const place = await kind.create();
      try {
        const random = new SystemRandom();
        const rootKey = openRootKey(join(directory, 'root.key'), random);
        const database = await place.open();
        const authenticator = new Authenticator({
          store: new KeyStore(database, new RowMac(rootKey)),
          hasher: new KeyHasher(rootKey),
          clock: systemClock,
        });
        // Whoever asks a closed database is told so.
        await database.close();
        const refused = await authenticator.authenticate(WRONG_CHECKSUM);
        assert.ok(refused instanceof Denial);
        assert.equal(refused.code, 'invalid_api_key');
        await assert.rejects(authenticator.authenticate(UNKNOWN_KEY));
      } finally {
        await place.remove();
        rmSync(directory, { recursive: true, force: true });
      }
    });
  });
}

/** The chat body with one more field, whose value is given as text. */
function withField(name: string, value: string): string {
  return `{"model":"${MODEL}","messages":[],"${name}":${value}}`;
}

/** The provider saw nothing, no call was recorded, and no money moved. */
async function assertNoEffect(gateway: Gateway, key: IssuedKey, action: () => Promise<void>): Promise<void> {
  const before = gateway.provider.calls.length;
  await action();
  assert.equal(gateway.provider.calls.length, before);
  assert.deepEqual(await callsOf(gateway, key), []);
  for (const budget of await budgetsOf(gateway, key)) {
    assert.deepEqual([Number(budget['posted_usd']), Number(budget['held_usd'])], [0, 0]);
  }
}

/** The refusal of a known key has a record of its own. */
async function assertRecorded(
  gateway: Gateway,
  of: { readonly key: IssuedKey; readonly requestId: string | null | undefined; readonly code: string },
): Promise<void> {
  const events = await until(async () => {
    const found = await auditOf(gateway, of.requestId ?? '');
    return found.length > 0 ? found : undefined;
  });
  const [event] = events;
  assert.equal(events.length, 1);
  assert.deepEqual(
    [event?.['action'], event?.['actor'], event?.['decision']],
    ['call.refused', of.key.id, 'denied'],
  );
  assert.equal((event?.['detail'] as Body | undefined)?.['code'], of.code);
}

/** Refusals of strangers by their code, as the audit log sums them up. */
async function sumRefusals({ keyfold }: Gateway): Promise<ReadonlyMap<string, number>> {
  const sums = new Map<string, number>();
  for (const event of rowsOf(await keyfold.request('GET', '/v1/audit/events?limit=100'))) {
    if (event['action'] !== 'unauthenticated.refused') continue;
    const { code, count } = event['detail'] as { code: string; count: number };
    sums.set(code, (sums.get(code) ?? 0) + count);
  }
  return sums;
}
