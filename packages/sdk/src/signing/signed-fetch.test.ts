import assert from 'node:assert/strict';
import { generateKeyPairSync, webcrypto } from 'node:crypto';
import { after, before, beforeEach, describe, test } from 'node:test';
import fc from 'fast-check';
import OpenAI, { toFile } from 'openai';
import type { SigningCredentials } from './credentials.ts';
import { SIGNED_BODY_BYTES_MAX } from './read-request.ts';
import { signedFetch } from './signed-fetch.ts';
import { type Arrival, type Verifier, startVerifier } from './test-verifier.ts';

const KEY_ID = 'key_1';
const API_KEY = 'kf_test_ABC';
const SECRET = 'keyfold-test-secret';
const VERSION_2 = { version: '2', keyId: KEY_ID, signingSecret: SECRET } as const;

const pair = generateKeyPairSync('ed25519');
const privateKey = await webcrypto.subtle.importKey(
  'pkcs8',
  pair.privateKey.export({ format: 'der', type: 'pkcs8' }),
  'Ed25519',
  false,
  ['sign'],
);
const publicPem = pair.publicKey.export({ format: 'pem', type: 'spki' });

let verifier: Verifier;
let ed25519Verifier: Verifier;
before(async () => {
  verifier = await startVerifier({ keyId: KEY_ID, apiKey: API_KEY, secret: SECRET });
  ed25519Verifier = await startVerifier({ keyId: KEY_ID, publicPem });
});
after(async () => {
  await verifier[Symbol.asyncDispose]();
  await ed25519Verifier[Symbol.asyncDispose]();
});
beforeEach(() => {
  for (const each of [verifier, ed25519Verifier]) {
    each.arrivals.length = 0;
    each.answer = undefined;
    each.nowS = () => Math.floor(Date.now() / 1000);
  }
});

const schemes: readonly (readonly [string, SigningCredentials, () => Verifier])[] = [
  ['version 2', VERSION_2, () => verifier],
  ['version 1', { version: '1', apiKey: API_KEY, signingSecret: SECRET }, () => verifier],
  ['RFC 9421 with a secret', { version: 'rfc9421', keyId: KEY_ID, signingSecret: SECRET }, () => verifier],
  ['RFC 9421 with Ed25519', { version: 'rfc9421', keyId: KEY_ID, privateKey }, () => ed25519Verifier],
];

for (const [name, credentials, target] of schemes) {
  describe(`a fetch that signs by ${name}`, () => {
    test('what arrives bears out its signature', async () => {
      const { origin } = target();
      const send = signedFetch(credentials);
      const headers = { 'content-type': 'application/json', 'idempotency-key': 'idem-1' };
      await send(`${origin}/v1/models`);
      await send(new URL(`${origin}/v1/chat/completions?a=1&b=%2F+2#end`), {
        method: 'POST',
        headers,
        body: '{"ü":"🌍"}',
      });
      await send(new Request(`${origin}/v1/embeddings`, { method: 'put', headers, body: '{"x":1}' }));
      assert.deepEqual(verdicts(target()), ['good', 'good', 'good']);
    });

    test('the keys that an SDK puts on do not go out', async () => {
      const headers = { Authorization: 'Bearer other', 'x-api-key': 'other', 'X-Goog-Api-Key': 'other' };
      await signedFetch(credentials)(target().origin, { headers });
      assert.deepEqual(verdicts(target()), ['good']);
      assert.ok(!JSON.stringify(target().arrivals).includes('other'));
    });

    test('what another signer left is replaced', async () => {
      const inner = signedFetch(credentials);
      for (const [, others] of schemes) await signedFetch({ ...others, fetch: inner })(target().origin);
      assert.deepEqual(
        verdicts(target()),
        schemes.map(() => 'good'),
      );
    });

    test('a wrong clock is set by the server, once', async () => {
      target().nowS = () => Math.floor(Date.now() / 1000) + 4000;
      const send = signedFetch(credentials);
      const response = await send(`${target().origin}/v1/a`, { method: 'POST', body: '{"x":1}' });
      assert.equal(response.status, 200);
      await send(`${target().origin}/v1/b`);
      assert.deepEqual(verdicts(target()), ['time', 'good', 'good']);
      assert.equal(new Set(nonces(target())).size, 3);
      assert.deepEqual(
        target().arrivals.map(({ body }) => body.toString()),
        ['{"x":1}', '{"x":1}', ''],
      );
    });
  });
}

describe('the body', () => {
  const bodies: readonly (readonly [string, () => RequestInit['body'], RegExp | undefined])[] = [
    ['text', () => 'Grüße\r\n🌍', /^text\/plain;charset=UTF-8$/],
    ['no text', () => '', /^text\/plain;charset=UTF-8$/],
    ['bytes', () => new Uint8Array([0, 255, 10, 13]), undefined],
    ['a part of a buffer', () => new Uint8Array([1, 2, 3, 4]).subarray(1, 3), undefined],
    ['a buffer', () => new Uint8Array([1, 2, 3]).buffer, undefined],
    ['a file with a type', () => new Blob(['abc'], { type: 'audio/wav' }), /^audio\/wav$/],
    ['a file without a type', () => new Blob(['abc']), undefined],
    [
      'a form',
      () => new URLSearchParams({ a: '1', 'b ü': '&' }),
      /^application\/x-www-form-urlencoded;charset=UTF-8$/,
    ],
    ['a form with files', makeForm, /^multipart\/form-data; boundary=/],
    ['a stream', () => new Blob(['abc', 'def']).stream(), undefined],
  ];

  for (const [name, make, contentType] of bodies) {
    test(`${name} is signed as it is sent`, async () => {
      const send = signedFetch(VERSION_2);
      await send(`${verifier.origin}/v1/x`, { method: 'POST', body: make() ?? null, duplex: 'half' });
      await send(
        new Request(`${verifier.origin}/v1/x`, { method: 'POST', body: make() ?? null, duplex: 'half' }),
      );
      assert.deepEqual(verdicts(verifier), ['good', 'good']);
      for (const { headers, body } of verifier.arrivals) {
        if (contentType === undefined) assert.equal(headers['content-type'], undefined);
        else assert.match(headers['content-type'] ?? '', contentType);
        if (name !== 'a form with files') {
          assert.deepEqual(body, Buffer.from(await new Response(make()).arrayBuffer()));
        }
      }
    });
  }

  test('what the caller names goes before what is derived', async () => {
    const request = new Request(`${verifier.origin}/v1/x`, {
      method: 'POST',
      body: 'a',
      headers: { 'x-first': '1' },
    });
    await signedFetch(VERSION_2)(request, {
      method: 'PATCH',
      body: 'b',
      headers: { 'content-type': 'text/x' },
    });
    const [arrival] = verifier.arrivals;
    assert.equal(arrival?.verdict, 'good');
    assert.equal(arrival.method, 'PATCH');
    assert.equal(arrival.body.toString(), 'b');
    assert.equal(arrival.headers['content-type'], 'text/x');
    assert.equal(arrival.headers['x-first'], undefined);
  });

  test('a stream longer than the limit is let go, and nothing is sent', async () => {
    let isCancelled = false;
    const chunk = new Uint8Array(SIGNED_BODY_BYTES_MAX / 4);
    const body = new ReadableStream({
      pull: (controller) => controller.enqueue(chunk),
      cancel: () => {
        isCancelled = true;
      },
    });
    const call = signedFetch(VERSION_2)(verifier.origin, { method: 'POST', body, duplex: 'half' });
    await assert.rejects(call, RangeError);
    assert.ok(isCancelled);
    assert.equal(verifier.arrivals.length, 0);
  });

  test('a stream that fails, or is none of bytes, fails the call', async () => {
    const failing = new ReadableStream({
      pull: (controller) => controller.error(new Error('the disk is gone')),
    });
    const ofText = new ReadableStream({ pull: (controller) => controller.enqueue('text') });
    const send = signedFetch(VERSION_2);
    await assert.rejects(
      send(verifier.origin, { method: 'POST', body: failing, duplex: 'half' }),
      /the disk is gone/,
    );
    await assert.rejects(send(verifier.origin, { method: 'POST', body: ofText, duplex: 'half' }), TypeError);
    assert.equal(verifier.arrivals.length, 0);
  });
});

describe('what is asked of fetch', () => {
  test('an abort ends the call before it, and while its body is read', async () => {
    const reason = new Error('enough');
    let calls = 0;
    const below: typeof fetch = async () => new Response(String(calls++));
    const send = signedFetch({ ...VERSION_2, fetch: below });
    const post = (body: ReadableStream, signal: AbortSignal) =>
      send(verifier.origin, { method: 'POST', body, duplex: 'half', signal });

    await assert.rejects(send(verifier.origin, { signal: AbortSignal.abort(reason) }), reason);
    await assert.rejects(send(new Request(verifier.origin, { signal: AbortSignal.abort(reason) })), reason);
    await assert.rejects(post(new ReadableStream(), AbortSignal.abort(reason)), reason);
    const reading = new AbortController();
    const pull = () => {
      setImmediate(() => reading.abort(reason));
      return new Promise<void>(() => {});
    };
    await assert.rejects(post(new ReadableStream({ pull }, { highWaterMark: 0 }), reading.signal), reason);
    assert.equal(calls, 0);
  });

  test('an abort ends the call while it waits for the answer', async () => {
    const reason = new Error('enough');
    const waiting = new AbortController();
    verifier.answer = () => waiting.abort(reason);
    await assert.rejects(
      signedFetch(VERSION_2)(new Request(verifier.origin, { signal: waiting.signal })),
      reason,
    );
    assert.equal(verifier.arrivals.length, 1);
  });

  test('other options reach the fetch below', async () => {
    const seen: unknown[] = [];
    const below: typeof fetch = async (input, init) => {
      seen.push([input, init?.keepalive, init?.cache, (init as { dispatcher?: unknown }).dispatcher]);
      return new Response();
    };
    const send = signedFetch({ ...VERSION_2, fetch: below });
    const extra = { dispatcher: 'one' } as object;
    await send('https://gw.example/v1/models#end', { keepalive: true, cache: 'no-store', ...extra });
    await send(new Request('https://gw.example/v1/models', { keepalive: true, cache: 'no-store' }), extra);
    assert.deepEqual(seen, [
      ['https://gw.example/v1/models#end', true, 'no-store', 'one'],
      ['https://gw.example/v1/models', true, 'no-store', 'one'],
    ]);
  });

  test('a redirect is not followed', async () => {
    verifier.answer = (response) => response.writeHead(307, { location: '/elsewhere' }).end('moved');
    const send = signedFetch(VERSION_2);
    await assert.rejects(send(verifier.origin), /redirect/);
    await assert.rejects(send(verifier.origin, { redirect: 'follow' }), /redirect/);
    const response = await send(verifier.origin, { redirect: 'manual' });
    assert.equal(response.status, 307);
    await response.body?.cancel();
    assert.deepEqual(
      verifier.arrivals.map(({ target }) => target),
      ['/', '/', '/'],
    );
  });

  test('a host that is not the one of the URL is not sent', async () => {
    const hosts: unknown[] = [];
    const below: typeof fetch = async (_input, init) => {
      hosts.push(new Headers(init?.headers).get('host'));
      return new Response();
    };
    await signedFetch({ ...VERSION_2, fetch: below })(verifier.origin, {
      headers: { host: 'other.example' },
    });
    assert.deepEqual(hosts, [null]);
  });
});

describe('the clock', () => {
  test('when the server goes on refusing, its second answer is the answer', async () => {
    let timeS = Math.floor(Date.now() / 1000);
    verifier.nowS = () => (timeS += 4000);
    const response = await signedFetch(VERSION_2)(verifier.origin);
    assert.equal(response.status, 401);
    assert.deepEqual(verdicts(verifier), ['time', 'time']);
  });

  test('a refusal for another reason is not repeated', async () => {
    const response = await signedFetch({ ...VERSION_2, signingSecret: 'another' })(verifier.origin);
    assert.equal(response.status, 401);
    assert.equal(await response.text(), 'signature');
    assert.equal(verifier.arrivals.length, 1);
  });

  test('many calls at once all get through', async () => {
    verifier.nowS = () => Math.floor(Date.now() / 1000) - 4000;
    const send = signedFetch(VERSION_2);
    const responses = await Promise.all(Array.from({ length: 10 }, () => send(verifier.origin)));
    assert.deepEqual(
      responses.map(({ status }) => status),
      responses.map(() => 200),
    );
    assert.ok(verifier.arrivals.length <= 20);
  });
});

describe('secrets that are asked for', () => {
  test('a rotated one signs the next request', async () => {
    const secrets = ['another', SECRET];
    const send = signedFetch({ ...VERSION_2, signingSecret: async () => secrets.shift() ?? '' });
    assert.deepEqual(
      [(await send(verifier.origin)).status, (await send(verifier.origin)).status],
      [401, 200],
    );
  });

  test('during a rotation either of the two will do', async () => {
    for (const signingSecrets of [
      ['another', SECRET],
      [SECRET, 'another'],
    ]) {
      const response = await signedFetch({ version: '2', keyId: KEY_ID, signingSecrets })(verifier.origin);
      assert.equal(response.status, 200);
    }
  });
});

test('whatever is asked for, what arrives bears out its signature', async () => {
  const method = fc.constantFrom('GET', 'get', 'POST', 'put', 'PATCH', 'DELETE', 'OPTIONS', 'REPORT');
  const character = fc.oneof(
    fc.constantFrom(...'/?&=%+ .;:@\\"\'~*!(){}^|`<>'),
    fc.string({ minLength: 1, maxLength: 1 }),
  );
  const text = fc.string({
    unit: fc.oneof(character, fc.string({ unit: 'grapheme', maxLength: 1 })),
    maxLength: 20,
  });
  const body = fc.oneof(fc.constant(undefined), fc.string({ unit: 'grapheme' }), fc.uint8Array());
  const field = fc.option(fc.string({ unit: fc.constantFrom(...'aZ9 ;=/,"-'), maxLength: 12 }), {
    nil: undefined,
  });
  const call = fc.record({
    method,
    path: text,
    query: text,
    body,
    contentType: field,
    idempotencyKey: field,
  });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...schemes.filter(([, { version }]) => version !== '1')),
      call,
      async (scheme, call) => {
        const [, credentials, target] = scheme;
        const headers = new Headers();
        if (call.contentType !== undefined) headers.set('content-type', call.contentType);
        if (call.idempotencyKey !== undefined) headers.set('idempotency-key', call.idempotencyKey);
        const bodyless = ['GET', 'get'].includes(call.method);
        const response = await signedFetch(credentials)(`${target().origin}/${call.path}?${call.query}`, {
          method: call.method,
          headers,
          body: bodyless ? null : (call.body ?? null),
        });
        assert.equal(await response.text(), '');
        assert.equal(response.status, 200);
      },
    ),
    { numRuns: 300 },
  );
});

describe('the openai client', () => {
  const client = (credentials: SigningCredentials = VERSION_2) =>
    new OpenAI({ baseURL: `${verifier.origin}/v1`, apiKey: 'unused', fetch: signedFetch(credentials) });
  const messages = [{ role: 'user' as const, content: 'Grüße 🌍' }];

  for (const [name, credentials] of schemes.slice(0, 3)) {
    test(`chats, signed by ${name}`, async () => {
      verifier.answer = (response) => answerJson(response, { choices: [{ message: { content: 'hello' } }] });
      const completion = await client(credentials).chat.completions.create({ model: 'm-1', messages });
      assert.equal(completion.choices[0]?.message.content, 'hello');
      assert.deepEqual(verdicts(verifier), ['good']);
    });
  }

  test('streams', async () => {
    verifier.answer = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      for (const content of ['he', 'llo']) {
        response.write(`data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`);
      }
      response.end('data: [DONE]\n\n');
    };
    let text = '';
    for await (const chunk of await client().chat.completions.create({
      model: 'm-1',
      messages,
      stream: true,
    })) {
      text += chunk.choices[0]?.delta.content ?? '';
    }
    assert.equal(text, 'hello');
    assert.deepEqual(verdicts(verifier), ['good']);
  });

  test('uploads a file', async () => {
    verifier.answer = (response) => answerJson(response, { text: 'hello' });
    const file = await toFile(new Uint8Array([1, 2, 3]), 'speech.wav');
    const { text } = await client().audio.transcriptions.create({ model: 'm-1', file });
    assert.equal(text, 'hello');
    assert.deepEqual(verdicts(verifier), ['good']);
  });

  test('its repetitions are new requests', async () => {
    verifier.answer = (response) => {
      if (verifier.arrivals.length < 3) response.writeHead(503, { 'retry-after-ms': '1' }).end();
      else answerJson(response, { choices: [{ message: { content: 'hello' } }] });
    };
    await client().chat.completions.create({ model: 'm-1', messages });
    assert.deepEqual(verdicts(verifier), ['good', 'good', 'good']);
    assert.equal(new Set(nonces(verifier)).size, 3);
  });
});

function makeForm(): FormData {
  const form = new FormData();
  form.set('model', 'm-1');
  form.set('file', new File([new Uint8Array([0, 1, 255])], 'speech.wav', { type: 'audio/wav' }));
  return form;
}

function answerJson(response: Parameters<NonNullable<Verifier['answer']>>[0], value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function verdicts({ arrivals }: Verifier): string[] {
  return arrivals.map(({ verdict }: Arrival) => verdict);
}

function nonces({ arrivals }: Verifier): string[] {
  return arrivals.map(({ nonce }) => nonce);
}
