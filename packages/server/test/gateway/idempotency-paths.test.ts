import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { type IssuedKey, MODEL, callsOf, describeGateway, issueKey } from './support.ts';

const PERMISSIONS = ['chat', 'completions', 'embeddings', 'images', 'audio', 'moderations'];
const SANDBOX = 'sandbox/echo';
const MESSAGES = [{ role: 'user', content: 'Hello' }];
const CONTENTS = { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] };

interface Sent {
  readonly path: string;
  readonly body: string | FormData;
  readonly headers?: Readonly<Record<string, string>>;
}

function json(path: string, body: object): Sent {
  return { path, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
}

/** Written anew for each request, with a boundary of its own. */
function form(path: string, fields: Readonly<Record<string, string>>): Sent {
  const body = new FormData();
  body.append('file', new File([new Uint8Array([0, 13, 10, 45, 45, 255])], 'a.wav', { type: 'audio/wav' }));
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  return { path, body };
}

/** Every path that can spend; those of chats lead to a server that speaks another dialect than the client. */
const PATHS: Readonly<Record<string, () => Sent>> = {
  chat: () => json('/v1/chat/completions', { model: MODEL, max_tokens: 10, messages: MESSAGES }),
  'a streamed chat': () =>
    json('/v1/chat/completions', { model: MODEL, max_tokens: 10, messages: MESSAGES, stream: true }),
  messages: () => json('/v1/messages', { model: MODEL, max_tokens: 10, messages: MESSAGES }),
  'streamed messages': () =>
    json('/v1/messages', { model: MODEL, max_tokens: 10, messages: MESSAGES, stream: true }),
  responses: () => json('/v1/responses', { model: MODEL, input: 'Hello', max_output_tokens: 16 }),
  'streamed responses': () =>
    json('/v1/responses', { model: MODEL, input: 'Hello', max_output_tokens: 16, stream: true }),
  contents: () => json(`/v1beta/models/${MODEL}:generateContent`, CONTENTS),
  'streamed contents': () => json(`/v1beta/models/${MODEL}:streamGenerateContent?alt=sse`, CONTENTS),
  embeddings: () => json('/v1/embeddings', { model: MODEL, input: 'Hello' }),
  completions: () => json('/v1/completions', { model: SANDBOX, prompt: 'Hello', max_tokens: 5 }),
  images: () => json('/v1/images/generations', { model: SANDBOX, prompt: 'A cat' }),
  speech: () => json('/v1/audio/speech', { model: SANDBOX, input: 'Hello', voice: 'alloy' }),
  transcriptions: () => form('/v1/audio/transcriptions', { model: SANDBOX, language: 'de' }),
  translations: () => form('/v1/audio/translations', { model: SANDBOX }),
  moderations: () => json('/v1/moderations', { model: SANDBOX, input: 'Hello' }),
  'counted tokens': () => json('/v1/messages/count_tokens', { model: SANDBOX, messages: MESSAGES }),
};

describeGateway('an Idempotency-Key on every path', {}, (gateway) => {
  let live: IssuedKey;
  let free: IssuedKey;
  before(async () => {
    live = await issueKey(gateway(), { permissions: PERMISSIONS });
    free = await issueKey(gateway(), { permissions: PERMISSIONS, kind: 'test' });
  });

  const send = async (name: string, { path, body, headers }: Sent) => {
    const usesSandbox = !path.includes(MODEL) && !(typeof body === 'string' && body.includes(MODEL));
    const { secret } = usesSandbox ? free : live;
    const response = await fetch(`${gateway().keyfold.url}${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${secret}`,
        'idempotency-key': name.replaceAll(' ', '-'),
        ...headers,
      },
      body,
    });
    return {
      status: response.status,
      type: response.headers.get('content-type'),
      isReplayed: response.headers.get('idempotent-replayed') === 'true',
      bytes: Buffer.from(await response.arrayBuffer()),
    };
  };
  const count = async () => (await callsOf(gateway(), live)).length + (await callsOf(gateway(), free)).length;

  for (const [what, draft] of Object.entries(PATHS)) {
    test(`${what}: the same bytes come back, and nothing is done again`, async () => {
      const [calls, sent] = [await count(), gateway().provider.calls.length];
      const first = await send(what, draft());
      const again = await send(what, draft());
      assert.equal(first.status, 200, first.bytes.toString());
      assert.ok(first.bytes.length > 0);
      assert.deepEqual({ ...again, isReplayed: false }, first);
      assert.ok(again.isReplayed);
      assert.equal(await count(), calls + 1);
      assert.ok(gateway().provider.calls.length <= sent + 1);
    });
  }

  test('a form with another field or file is another request', async () => {
    const path = '/v1/audio/transcriptions';
    assert.equal((await send('form', form(path, { model: SANDBOX }))).status, 200);
    assert.equal((await send('form', form(path, { model: SANDBOX, language: 'fr' }))).status, 422);
    const other = form(path, { model: SANDBOX });
    (other.body as FormData).set('file', new File(['other'], 'a.wav', { type: 'audio/wav' }));
    assert.equal((await send('form', other)).status, 422);
    assert.ok((await send('form', form(path, { model: SANDBOX }))).isReplayed);
  });

  test('a refusal is in the words of its dialect', async () => {
    const refusals: Record<string, unknown> = {};
    for (const [what, path, body, other] of [
      ['chat', '/v1/chat/completions', { model: SANDBOX, messages: MESSAGES }, { temperature: 1 }],
      ['messages', '/v1/messages', { model: SANDBOX, max_tokens: 9, messages: MESSAGES }, { temperature: 1 }],
      ['contents', `/v1beta/models/${encodeURIComponent('echo')}:generateContent`, CONTENTS, { x: 1 }],
    ] as const) {
      assert.equal((await send(`words-${what}`, json(path, body))).status, 200);
      const refused = await send(`words-${what}`, json(path, { ...body, ...other }));
      assert.equal(refused.status, 422);
      refusals[what] = JSON.parse(refused.bytes.toString());
    }
    const of = (name: string) => (refusals[name] as { error: Record<string, unknown> }).error;
    assert.equal(of('chat')['code'], 'idempotency_mismatch');
    assert.equal((refusals['messages'] as Record<string, unknown>)['type'], 'error');
    assert.equal(of('messages')['type'], 'invalid_request_error');
    assert.deepEqual([of('contents')['code'], of('contents')['status']], [422, 'INVALID_ARGUMENT']);
  });
});
