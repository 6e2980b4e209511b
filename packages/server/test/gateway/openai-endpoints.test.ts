import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import OpenAI, { BadRequestError, PermissionDeniedError } from 'openai';
import { rowsOf } from '../control/support.ts';
import { type OpenAiEndpoints, startOpenAiEndpoints } from '../stand-ins/openai-endpoints.ts';
import {
  type Gateway,
  type IssuedKey,
  MODEL,
  PROVIDER_SECRET,
  assertNothingHeld,
  assertRefused,
  describeGateway,
  issueKey,
  onlyCall,
} from './support.ts';

/** A model of OpenAI's, with prices and limits of its own. */
const REASONER = 'gpt-stand-in';
const REASONER_PRICE = {
  input_usd_per_million: '1',
  cached_input_usd_per_million: '0.1',
  output_usd_per_million: '10',
  context_tokens: 400_000,
};
/** 82 × 1000 + 1024 × 100 + (12 + 64 of reasoning) × 10 000 nano-dollars. */
const FIXTURE_COST = '0.0009444';
const UNKNOWN = { x_new_field: { deep: [1] } };
/** Long enough for what the fixtures say was read. */
const QUESTION = 'Why? '.repeat(50);
const RESPONSE = { model: REASONER, input: QUESTION, max_output_tokens: 100 };

describeGateway("OpenAI's paths beside chat completions", { kinds: ['sqlite'] }, (gateway) => {
  let vendor: OpenAiEndpoints | undefined;
  const standIn = () => vendor ?? assert.fail('the stand-in has not started');
  before(async () => {
    vendor = await startOpenAiEndpoints();
    await addOpenAi(gateway(), vendor.url, { [REASONER]: REASONER_PRICE, 'unpriced-model': undefined });
  });
  after(() => vendor?.[Symbol.asyncDispose]());

  const client = (key: IssuedKey) =>
    new OpenAI({ apiKey: key.secret, baseURL: `${gateway().keyfold.url}/v1`, maxRetries: 0 });
  const post = (key: IssuedKey, path: string, body: unknown) =>
    gateway().keyfold.request('POST', path, body, { key: key.secret });

  describe('responses', () => {
    test('pass untouched, and are recorded at their price', async () => {
      const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
      standIn().say({ body: fixture('response.json') });
      const { data, response } = await client(key)
        .responses.create({ ...RESPONSE, store: false, ...UNKNOWN })
        .withResponse();
      assert.equal(data.output_text, '"usage": { — 言葉 🌊');
      assert.deepEqual(data, { ...fixtureJson('response.json'), output_text: data.output_text });
      assert.equal(response.headers.get('x-keyfold-cost-usd'), FIXTURE_COST);
      const { body, path } = standIn().heard.at(-1) ?? assert.fail();
      assert.equal(path, '/v1/responses');
      assert.deepEqual(body, { ...RESPONSE, store: false, ...UNKNOWN });
      const call = await onlyCall(gateway(), key);
      assert.deepEqual(
        [call['endpoint'], call['status'], call['cost_usd'], call['certainty'], call['flags']],
        ['responses', 200, FIXTURE_COST, 'exact', []],
      );
      assert.deepEqual([call['cached_input_tokens'], call['reasoning_tokens']], [1024, 64]);
      await assertNothingHeld(gateway(), key);
    });

    test('streams pass byte for byte, and their last event says what they cost', async () => {
      const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
      const contentType = 'text/event-stream; charset=utf-8';
      standIn().say(
        { contentType, body: fixture('response-usage.sse') },
        { contentType, body: fixture('response-usage.sse') },
      );
      const answer = await post(key, '/v1/responses', { ...RESPONSE, stream: true });
      assert.equal(answer.text, fixture('response-usage.sse').toString());
      assert.deepEqual(standIn().heard.at(-1)?.body, { ...RESPONSE, stream: true });
      const call = await onlyCall(gateway(), key);
      assert.deepEqual(
        [call['streamed'], call['cost_usd'], call['certainty'], call['flags']],
        [true, FIXTURE_COST, 'exact', []],
      );
      const other = await issueKey(gateway());
      const types: string[] = [];
      for await (const event of await client(other).responses.create({ ...RESPONSE, stream: true }))
        types.push(event.type);
      assert.deepEqual([types[0], types.at(-1)], ['response.created', 'response.completed']);
      await assertNothingHeld(gateway(), key);
    });

    test('a stream that is cut short by its limit costs its usage, one that fails costs its hold', async () => {
      const contentType = 'text/event-stream';
      for (const [name, expected] of [
        ['response-incomplete.sse', { cost: FIXTURE_COST, flags: [] }],
        ['response-failed.sse', { cost: undefined, flags: ['usage_missing', 'estimated'] }],
        ['response-error.sse', { cost: undefined, flags: ['usage_missing', 'estimated'] }],
      ] as const) {
        const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
        standIn().say({ contentType, body: fixture(name) });
        const answer = await post(key, '/v1/responses', { ...RESPONSE, stream: true });
        assert.ok(answer.text.startsWith(fixture(name).toString()), name);
        const call = await onlyCall(gateway(), key);
        assert.deepEqual(call['flags'], expected.flags, name);
        assert.equal(call['cost_usd'], expected.cost ?? call['held_usd'], name);
        await assertNothingHeld(gateway(), key);
      }
    });

    test('output that nothing bounds is limited where there is a budget, by the field of this path', async () => {
      const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
      standIn().say({ body: fixture('response.json') });
      await client(key).responses.create({ model: REASONER, input: QUESTION });
      assert.equal(standIn().heard.at(-1)?.body['max_output_tokens'], 4_096);
      const call = await onlyCall(gateway(), key);
      // At most: bytes of the body and 1000 around them × 1000, and 4096 × 10 000 nano-dollars.
      const bytes = JSON.stringify({ model: REASONER, input: QUESTION }).length;
      assert.equal(Number(call['held_usd']), ((bytes + 1_000) * 1_000 + 40_960_000) / 1e9);
    });

    const refusals: readonly [string, object, string][] = [
      ['an answer that comes later', { background: true }, 'background'],
      ['a response that was stored', { previous_response_id: 'resp_of_another_key' }, 'previous_response_id'],
      ['a conversation that was stored', { conversation: 'conv_1' }, 'conversation'],
      ['a prompt that was stored', { prompt: { id: 'pmpt_1' } }, 'prompt'],
      ['an item that was stored', { input: [{ type: 'item_reference', id: 'msg_1' }] }, 'input.0'],
      ['a tool that OpenAI runs', { tools: [{ type: 'web_search' }] }, 'tools.0.type'],
      ['a tier without a price', { service_tier: 'fast' }, 'service_tier'],
    ];
    for (const [what, fields, param] of refusals) {
      test(`${what} is refused by name, and reaches nobody`, async () => {
        const key = await issueKey(gateway());
        const before = standIn().heard.length;
        const answer = await post(key, '/v1/responses', { ...RESPONSE, ...fields });
        assertRefused(answer, { status: 400, code: 'unsupported_parameter', param });
        assert.equal(standIn().heard.length, before);
      });
    }

    test('what is wrong is said of the field, by the gateway or by OpenAI', async () => {
      const key = await issueKey(gateway());
      const wrong = await post(key, '/v1/responses', { ...RESPONSE, max_output_tokens: 0 });
      assertRefused(wrong, { status: 400, code: 'invalid_request', param: 'max_output_tokens' });
      await assert.rejects(client(key).responses.create({ ...RESPONSE, max_output_tokens: 3 }), (error) => {
        assert.ok(error instanceof BadRequestError);
        return error.param === 'max_output_tokens';
      });
    });

    test('need the permission to chat', async () => {
      const key = await issueKey(gateway(), { permissions: ['embeddings'] });
      await assert.rejects(client(key).responses.create(RESPONSE), PermissionDeniedError);
    });

    test('reach a server that knows chat completions alone by translation, streamed and not', async () => {
      const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
      const ask = { model: MODEL, input: 'Hello', instructions: 'Be brief.', max_output_tokens: 10 };
      const whole = await client(key).responses.create(ask);
      assert.equal(whole.output_text, 'Hello from the provider.');
      assert.deepEqual([whole.usage?.input_tokens, whole.usage?.output_tokens], [10, 5]);
      const sent = gateway().provider.calls.at(-1)?.body;
      assert.deepEqual(sent?.['messages'], [
        { role: 'system', content: 'Be brief.' },
        { role: 'user', content: 'Hello' },
      ]);
      const streamed = client(key).responses.stream(ask);
      assert.equal((await streamed.finalResponse()).output_text, 'Hello from the provider.');
      const calls = rowsOf(await gateway().keyfold.request('GET', `/v1/calls?key_id=${key.id}`));
      for (const call of calls) assert.deepEqual([call['cost_usd'], call['flags']], ['0.00002', []]);
      assert.equal(calls.length, 2);
    });

    test('are answered by the sandbox in the order of the events that a client waits for', async () => {
      const key = await issueKey(gateway(), { kind: 'test' });
      const ask = { model: 'anything', input: 'Say this.' };
      assert.equal((await client(key).responses.create(ask)).output_text, 'Say this.');
      const types: string[] = [];
      for await (const event of await client(key).responses.create({ ...ask, stream: true }))
        types.push(event.type);
      assert.deepEqual(
        [...new Set(types)],
        [
          'response.created',
          'response.in_progress',
          'response.output_item.added',
          'response.content_part.added',
          'response.output_text.delta',
          'response.output_text.done',
          'response.content_part.done',
          'response.output_item.done',
          'response.completed',
        ],
      );
    });
  });
});

function fixture(name: string): Buffer {
  return readFileSync(new URL(`../../src/providers/openai/__fixtures__/${name}`, import.meta.url));
}

function fixtureJson(name: string): object {
  return JSON.parse(fixture(name).toString()) as object;
}

/** One credential for OpenAI at the stand-in, and prices for its models. */
async function addOpenAi(
  { keyfold }: Gateway,
  baseUrl: string,
  models: Readonly<Record<string, object | undefined>>,
): Promise<void> {
  const created = await keyfold.request('POST', '/v1/credentials', {
    provider: 'openai',
    name: 'endpoints',
    secret: PROVIDER_SECRET,
    base_url: baseUrl,
    allow_networks: ['127.0.0.0/8'],
    models: Object.keys(models),
  });
  assert.equal(created.status, 201, created.text);
  for (const [model, price] of Object.entries(models)) {
    if (price === undefined) continue;
    const priced = await keyfold.request('PUT', `/v1/catalog/models/openai/${model}`, price);
    assert.equal(priced.status, 200, priced.text);
  }
}
