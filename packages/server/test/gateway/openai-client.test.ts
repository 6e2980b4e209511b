import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI, { APIError, AuthenticationError, NotFoundError, RateLimitError } from 'openai';
import { textAt } from '../control/support.ts';
import {
  type Gateway,
  MODEL,
  addModel,
  assertNothingHeld,
  chatBody,
  describeGateway,
  issueKey,
  onlyCall,
} from './support.ts';

const MESSAGES = [{ role: 'user', content: 'Hello' }] as const;
const CHAT = { model: MODEL, max_tokens: 10, messages: [...MESSAGES] };
const HEAD = '"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"stand-in"';
const USAGE_CHUNK = `data: {${HEAD},"choices":[],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}}\n\n`;
/** As odd as the standard allows: comments, an event of several lines, carriage returns, breaks inside events. */
const BEFORE_USAGE = [
  ': a comment\n\n',
  `data: {${HEAD},"choices":[{"index":0,"delta":{"role":"assistant","content":"Hé"},"finish_reason":null}]}\r\n\r\n`,
  `event: message\nid: 7\ndata: {${HEAD},"choices":[{"index":0,`,
  `"delta":{"content":"llo 🌍"},"finish_reason":null}]}\n\n`,
  `data: {${HEAD},"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n`,
];
const DONE = 'data: [DONE]\n\n';

describeGateway("OpenAI's own client", {}, (gateway) => {
  test('chats, and the call is recorded at its price', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
    const { data, response } = await clientOf(gateway(), key.secret)
      .chat.completions.create(CHAT)
      .withResponse();
    assert.equal(data.choices[0]?.message.content, 'Hello from the provider.');
    assert.deepEqual([data.usage?.prompt_tokens, data.usage?.completion_tokens], [10, 5]);
    assert.equal(response.headers.get('x-keyfold-key-id'), key.id);
    assert.equal(response.headers.get('x-keyfold-cost-usd'), '0.00002');
    const call = await onlyCall(gateway(), key);
    assert.deepEqual([call['status'], call['cost_usd'], call['flags']], [200, '0.00002', []]);
    assert.equal(call['request_id'], response.headers.get('x-request-id'));
    await assertNothingHeld(gateway(), key);
  });

  test('streams, and sees no usage chunk that it did not ask for', async () => {
    const key = await issueKey(gateway());
    const stream = await clientOf(gateway(), key.secret).chat.completions.create({ ...CHAT, stream: true });
    const chunks = await gather(stream);
    assert.equal(
      chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join(''),
      'Hello from the provider.',
    );
    assert.ok(chunks.every((chunk) => chunk.choices.length === 1 && (chunk.usage ?? null) === null));
    const call = await onlyCall(gateway(), key);
    assert.deepEqual([call['streamed'], call['cost_usd'], call['output_tokens']], [true, '0.00002', 5]);
    const sent = gateway().provider.calls.at(-1)?.body;
    assert.deepEqual(sent?.['stream_options'], { include_usage: true });
  });

  test('streams, and sees the usage chunk that it asked for', async () => {
    const key = await issueKey(gateway());
    const stream = await clientOf(gateway(), key.secret).chat.completions.create({
      ...CHAT,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await gather(stream);
    assert.deepEqual(chunks.at(-1)?.choices, []);
    assert.equal(chunks.at(-1)?.usage?.total_tokens, 15);
    assert.equal((await onlyCall(gateway(), key))['cost_usd'], '0.00002');
  });

  for (const isAsked of [true, false]) {
    test(`a stream passes byte for byte, its usage chunk ${isAsked ? 'where it was asked for' : 'alone is kept back'}`, async () => {
      const key = await issueKey(gateway());
      gateway().provider.script({ kind: 'raw-stream', pieces: [...BEFORE_USAGE, USAGE_CHUNK, DONE] });
      const body = chatBody({
        stream: true,
        ...(isAsked ? { stream_options: { include_usage: true } } : {}),
      });
      const answer = await gateway().keyfold.request('POST', '/v1/chat/completions', body, {
        key: key.secret,
      });
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get('content-type') ?? '', /^text\/event-stream/);
      assert.equal(answer.text, [...BEFORE_USAGE, ...(isAsked ? [USAGE_CHUNK] : []), DONE].join(''));
      const call = await onlyCall(gateway(), key);
      assert.deepEqual([call['cost_usd'], call['provenance'], call['flags']], ['0.00002', 'provider', []]);
    });
  }

  test('embeds', async () => {
    const key = await issueKey(gateway());
    const answer = await clientOf(gateway(), key.secret).embeddings.create({
      model: MODEL,
      input: 'Hello',
      encoding_format: 'float',
    });
    assert.deepEqual(answer.data[0]?.embedding, [0, 0.6, 0.8]);
    const call = await onlyCall(gateway(), key);
    assert.deepEqual([call['endpoint'], call['status']], ['embeddings', 200]);
  });

  test('lists and retrieves the models that the key may use, and no other', async () => {
    await addModel(gateway(), { name: 'forbidden-model' });
    const key = await issueKey(gateway(), { models: [MODEL, 'sandbox/*'] });
    const client = clientOf(gateway(), key.secret);
    const ids = (await gather(client.models.list())).map(({ id }) => id);
    assert.ok(ids.includes(`openai-compatible/${MODEL}`), ids.join());
    assert.ok(ids.includes('sandbox/echo'));
    assert.ok(!ids.some((id) => id.includes('forbidden')), ids.join());
    assert.equal((await client.models.retrieve(MODEL)).owned_by, 'openai-compatible');
    await assert.rejects(client.models.retrieve('forbidden-model'), NotFoundError);
  });

  test('a wrong key raises AuthenticationError and reaches nobody', async () => {
    const key = await issueKey(gateway());
    const before = gateway().provider.calls.length;
    for (const wrong of [`${key.secret.slice(0, -1)}~`, 'sk-another-vendor', strangersKey(key.secret)]) {
      const refused = await refusalOf(clientOf(gateway(), wrong).chat.completions.create(CHAT));
      assert.ok(refused instanceof AuthenticationError, String(refused));
      assert.deepEqual([refused.status, refused.code], [401, 'invalid_api_key']);
      assert.ok(!refused.message.includes(wrong));
    }
    assert.equal(gateway().provider.calls.length, before);
  });

  test('a rate limit raises RateLimitError with retry-after', async () => {
    const key = await issueKey(gateway(), { rate_limit: 1 });
    const client = clientOf(gateway(), key.secret, { maxRetries: 0 });
    await client.chat.completions.create(CHAT);
    const before = gateway().provider.calls.length;
    const refused = await refusalOf(client.chat.completions.create(CHAT));
    assert.ok(refused instanceof RateLimitError, String(refused));
    assert.equal(refused.code, 'rate_limit_exceeded');
    const retryAfterS = Number(refused.headers?.get('retry-after'));
    assert.ok(retryAfterS >= 1 && retryAfterS <= 60, `retry-after ${retryAfterS}`);
    assert.equal(refused.headers?.get('x-ratelimit-limit-requests'), '1');
    assert.equal(refused.headers?.get('x-ratelimit-remaining-requests'), '0');
    assert.equal(gateway().provider.calls.length, before);
  });

  test('an exhausted budget raises a 402 that names the budget, and the client does not try again', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '0.000001' } });
    const before = gateway().provider.calls.length;
    const requests = countRequests();
    const client = clientOf(gateway(), key.secret, { maxRetries: 3, fetch: requests.fetch });
    const refused = await refusalOf(client.chat.completions.create(CHAT));
    assert.ok(refused instanceof APIError, String(refused));
    assert.deepEqual([refused.status, refused.code], [402, 'budget_exhausted']);
    const error = refused.error as Record<string, unknown>;
    assert.deepEqual([error['scope'], error['scope_id'], error['period']], ['key', key.id, 'total']);
    assert.equal(requests.count, 1);
    assert.equal(gateway().provider.calls.length, before);
  });

  test('a provider that is overloaded is tried again by the client, and each try is paid for or free by itself', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
    gateway().provider.script({ kind: 'status', status: 503 });
    const requests = countRequests();
    const client = clientOf(gateway(), key.secret, { maxRetries: 1, fetch: requests.fetch });
    const answer = await client.chat.completions.create(CHAT);
    assert.equal(answer.choices.length, 1);
    assert.equal(requests.count, 2);
    const [budget] = await budgetStates(gateway(), key.id);
    assert.deepEqual([budget?.['posted_usd'], budget?.['held_usd']], ['0.00002', '0.00']);
  });
});

function clientOf({ keyfold }: Gateway, apiKey: string, options: object = {}): OpenAI {
  return new OpenAI({ apiKey, baseURL: `${keyfold.url}/v1`, ...options });
}

async function gather<T>(items: AsyncIterable<T>): Promise<T[]> {
  const gathered: T[] = [];
  for await (const item of items) gathered.push(item);
  return gathered;
}

async function refusalOf(call: PromiseLike<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  throw new assert.AssertionError({ message: 'the call was not refused' });
}

/** A well-formed key that no Keyfold has issued: the format's own example. */
function strangersKey(own: string): string {
  const example = 'kf_live_42un7GJ8wIAbHDnhePy2Mqo9gkXYFS7sXjeCn1f4haT0f9OAG';
  assert.notEqual(own, example);
  return example;
}

function countRequests() {
  const counter = {
    count: 0,
    fetch: (...request: Parameters<typeof fetch>) => {
      counter.count++;
      return fetch(...request);
    },
  };
  return counter;
}

async function budgetStates({ keyfold }: Gateway, keyId: string) {
  const answer = await keyfold.request('GET', `/v1/budgets?scope=key&scope_id=${keyId}`);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(textAt(answer, 'object'), 'list');
  return answer.body['data'] as Record<string, unknown>[];
}
