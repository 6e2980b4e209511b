import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import OpenAI, { BadRequestError, PermissionDeniedError } from 'openai';
import { rowsOf } from '../control/support.ts';
import { type OpenAiEndpoints, startOpenAiEndpoints } from '../stand-ins/openai-endpoints.ts';
import { addOpenAi } from './openai-support.ts';
import {
  type IssuedKey,
  MODEL,
  PROVIDER_SECRET,
  assertNothingHeld,
  assertRefused,
  callsOf,
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
const PAINTER = 'gpt-image-stand-in';
const PAINTER_PRICE = {
  mode: 'image',
  input_usd_per_million: '5',
  image_input_usd_per_million: '10',
  output_usd_per_million: '40',
  image_output_usd_per_million: '40',
  output_tokens_max: 6_240,
};
const SPEAKER = 'gpt-tts-stand-in';
const SPEAKER_PRICE = {
  mode: 'speech',
  input_usd_per_million: '0.6',
  output_usd_per_million: '12',
  audio_output_usd_per_million: '12',
  output_tokens_max: 2_000,
};
/** As `ImagesResponse` in OpenAI's own client has it. */
const IMAGE_USAGE = {
  input_tokens: 50,
  input_tokens_details: { text_tokens: 40, image_tokens: 10 },
  output_tokens: 2_112,
  total_tokens: 2_162,
};
/** 40 × 5000 + 10 × 10 000 + 2112 × 40 000 nano-dollars. */
const IMAGE_COST = '0.08478';

/** Long enough for what the fixtures say was read. */
const QUESTION = 'Why? '.repeat(50);
const RESPONSE = { model: REASONER, input: QUESTION, max_output_tokens: 100 };

describeGateway("OpenAI's paths beside chat completions", { kinds: ['sqlite'] }, (gateway) => {
  let vendor: OpenAiEndpoints | undefined;
  const standIn = () => vendor ?? assert.fail('the stand-in has not started');
  before(async () => {
    vendor = await startOpenAiEndpoints();
    await addOpenAi(gateway(), vendor.url, {
      [REASONER]: REASONER_PRICE,
      [PAINTER]: PAINTER_PRICE,
      [SPEAKER]: SPEAKER_PRICE,
      'omni-moderation-latest': undefined,
      'by-the-piece': undefined,
      'of-any-length': { ...PAINTER_PRICE, output_tokens_max: undefined },
      'text-alone': REASONER_PRICE,
    });
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
        [call['endpoint'], call['status'], call['cost_usd'], call['provenance'], call['flags']],
        ['responses', 200, FIXTURE_COST, 'provider', []],
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
        [call['streamed'], call['cost_usd'], call['provenance'], call['flags']],
        [true, FIXTURE_COST, 'provider', []],
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

    test('that fail before they say anything go to the next target of their route', async () => {
      const targets = [{ model: `openai/${REASONER}` }, { model: 'sandbox/echo', priority: 1 }];
      const route = await gateway().keyfold.request('POST', '/v1/routes', { name: 'failing-over', targets });
      assert.equal(route.status, 201, route.text);
      const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
      const begun = fixture('response-error.sse').toString().split('event: response.output_item')[0] ?? '';
      const failed = `${begun}event: error\ndata: {"type":"error","message":"overloaded"}\n\n`;
      standIn().say({ contentType: 'text/event-stream', body: failed });
      const ask = { model: 'failing-over', input: 'Say this.', stream: true } as const;
      const streamed = await post(key, '/v1/responses', ask);
      assert.ok(!streamed.text.includes('overloaded') && streamed.text.includes('Say this.'), streamed.text);
      const rows = await callsOf(gateway(), key);
      assert.deepEqual(
        rows.map((row) => [row['provider'], row['attempt']]),
        [
          ['sandbox', 2],
          ['openai', 1],
        ],
      );
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

  describe('images', () => {
    const DRAW = { model: PAINTER, prompt: 'A cat — "言葉"', n: 2 };
    const painters = { permissions: ['images'], budgets: { total_usd: '2' } };

    test('are drawn, and their tokens are charged as images', async () => {
      const key = await issueKey(gateway(), painters);
      const answer = { created: 1_760_000_000, data: [{ b64_json: 'eA==' }, { b64_json: 'eQ==' }] };
      standIn().say({ body: { ...answer, usage: IMAGE_USAGE } });
      const { data, response } = await client(key)
        .images.generate({ ...DRAW, ...UNKNOWN })
        .withResponse();
      assert.deepEqual(data.data, answer.data);
      assert.equal(response.headers.get('x-keyfold-cost-usd'), IMAGE_COST);
      assert.deepEqual(standIn().heard.at(-1)?.body, { ...DRAW, ...UNKNOWN });
      const call = await onlyCall(gateway(), key);
      assert.deepEqual(
        [call['endpoint'], call['cost_usd'], call['flags']],
        ['images.generations', IMAGE_COST, []],
      );
      assert.deepEqual([call['image_input_tokens'], call['image_output_tokens']], [10, 2_112]);
      // At most: bytes of the body and 1000 around them × 5000, and two images of 6240 tokens × 40 000 nano-dollars.
      const bytes = Buffer.byteLength(JSON.stringify({ ...DRAW, ...UNKNOWN }));
      assert.equal(Number(call['held_usd']), ((bytes + 1_000) * 5_000 + 2 * 6_240 * 40_000) / 1e9);
      await assertNothingHeld(gateway(), key);
    });

    test('are streamed while they take shape, which costs tokens, too', async () => {
      const key = await issueKey(gateway(), painters);
      const events = [
        { type: 'image_generation.partial_image', b64_json: 'x'.repeat(100_000), partial_image_index: 0 },
        { type: 'image_generation.completed', b64_json: 'y'.repeat(300_000), usage: IMAGE_USAGE },
      ];
      const stream = events
        .map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
        .join('');
      standIn().say({ contentType: 'text/event-stream', body: stream });
      const ask = { model: PAINTER, prompt: 'A cat', stream: true, partial_images: 2 };
      const answer = await post(key, '/v1/images/generations', ask);
      assert.equal(answer.text, stream);
      const call = await onlyCall(gateway(), key);
      assert.deepEqual([call['cost_usd'], call['provenance'], call['flags']], [IMAGE_COST, 'provider', []]);
      const bytes = JSON.stringify(ask).length;
      assert.equal(Number(call['held_usd']), ((bytes + 1_000) * 5_000 + (6_240 + 200) * 40_000) / 1e9);
    });

    test('of models that are priced otherwise, or may be of any size, are refused under a budget', async () => {
      const key = await issueKey(gateway(), painters);
      for (const [model, what] of [
        ['by-the-piece', /has no price/],
        ['of-any-length', /output_tokens_max/],
        ['text-alone', /image_output_usd_per_million/],
      ] as const) {
        const answer = await post(key, '/v1/images/generations', { ...DRAW, model });
        const error = assertRefused(answer, { status: 400, code: 'model_unpriced', param: 'model' });
        assert.match(String(error['message']), what);
      }
    });

    test('drawings and moving images, whose tokens nothing bounds, are refused by name', async () => {
      const key = await issueKey(gateway(), painters);
      for (const [fields, param] of [
        [{ svg: {} }, 'svg'],
        [{ frame_count: 7 }, 'frame_count'],
        [{ output_format: 'gif' }, 'output_format'],
      ] as const) {
        const answer = await post(key, '/v1/images/generations', { ...DRAW, ...fields });
        assertRefused(answer, { status: 400, code: 'unsupported_parameter', param });
      }
      const many = await post(key, '/v1/images/generations', { ...DRAW, n: 0 });
      assertRefused(many, { status: 400, code: 'invalid_request', param: 'n' });
    });
  });

  describe('speech', () => {
    const SAY = { model: SPEAKER, input: 'Hello there.', voice: 'alloy' };
    const speakers = { permissions: ['audio'], budgets: { total_usd: '1' } };

    test('is given back as it sounds, and costs its hold, since nothing says what it used', async () => {
      const key = await issueKey(gateway(), speakers);
      const sound = Buffer.from([0xff, 0xf3, 0x00, 0x80, 0x0a, 0xff]);
      standIn().say({ contentType: 'audio/mpeg', body: sound });
      const answer = await client(key).audio.speech.create({ ...SAY, ...UNKNOWN });
      assert.equal(answer.headers.get('content-type'), 'audio/mpeg');
      assert.deepEqual(Buffer.from(await answer.arrayBuffer()), sound);
      assert.deepEqual(standIn().heard.at(-1)?.body, { ...SAY, ...UNKNOWN });
      const call = await onlyCall(gateway(), key);
      const bytes = JSON.stringify({ ...SAY, ...UNKNOWN }).length;
      // (bytes + 1000) × 600 and 2000 × 12 000 nano-dollars.
      assert.equal(Number(call['cost_usd']), ((bytes + 1_000) * 600 + 24_000_000) / 1e9);
      assert.deepEqual(call['flags'], ['usage_missing', 'estimated']);
      await assertNothingHeld(gateway(), key);
    });

    test('in events costs what they report', async () => {
      const key = await issueKey(gateway(), speakers);
      const usage = { input_tokens: 4, output_tokens: 30, total_tokens: 34 };
      const stream =
        'data: {"type":"speech.audio.delta","audio":"eA=="}\n\n' +
        `data: ${JSON.stringify({ type: 'speech.audio.done', usage })}\n\n`;
      standIn().say({ contentType: 'text/event-stream', body: stream });
      const answer = await post(key, '/v1/audio/speech', { ...SAY, stream_format: 'sse' });
      assert.equal(answer.text, stream);
      const call = await onlyCall(gateway(), key);
      // 4 × 600 + 30 × 12 000
      assert.deepEqual([call['cost_usd'], call['flags']], ['0.0003624', []]);
      assert.equal(call['audio_output_tokens'], 30);
    });

    test('that is no sound is no answer', async () => {
      const key = await issueKey(gateway(), speakers);
      standIn().say({ contentType: 'text/html', body: '<script>alert(1)</script>' });
      const answer = await post(key, '/v1/audio/speech', SAY);
      assertRefused(answer, { status: 502, code: 'provider_error' });
      const call = await onlyCall(gateway(), key);
      assert.equal(call['cost_usd'], call['held_usd']);
    });
  });

  describe('moderations', () => {
    const judges = { permissions: ['moderations'], budgets: { total_usd: '0.000001' } };
    const ANSWER = { id: 'modr-1', model: 'omni-moderation-latest', results: [{ flagged: false }] };

    test('cost nothing, also where no model is named', async () => {
      for (const body of [{ input: 'x' }, { input: ['x'], model: 'omni-moderation-latest', ...UNKNOWN }]) {
        const key = await issueKey(gateway(), judges);
        standIn().say({ body: ANSWER });
        const answer = await client(key).moderations.create(body);
        assert.equal(answer.results[0]?.flagged, false);
        assert.deepEqual(standIn().heard.at(-1)?.body, body);
        const call = await onlyCall(gateway(), key);
        assert.deepEqual(
          [call['endpoint'], call['model'], call['cost_usd'], call['held_usd'], call['flags']],
          ['moderations', 'omni-moderation-latest', '0.00', '0.00', []],
        );
      }
    });
  });

  test('each path needs its own permission, and POST', async () => {
    const key = await issueKey(gateway(), { permissions: ['chat', 'embeddings'] });
    for (const path of [
      '/v1/images/generations',
      '/v1/audio/speech',
      '/v1/audio/transcriptions',
      '/v1/audio/translations',
      '/v1/moderations',
    ]) {
      assertRefused(await post(key, path, {}), { status: 403, code: 'permission_denied' });
      const got = await gateway().keyfold.request('GET', path, undefined, { key: key.secret });
      assertRefused(got, { status: 405, code: 'method_not_allowed' });
    }
  });

  test('the sandbox answers each of them', async () => {
    const key = await issueKey(gateway(), {
      kind: 'test',
      permissions: ['images', 'audio', 'moderations'],
    });
    const images = await client(key).images.generate({ model: 'any', prompt: 'A cat', n: 3 });
    assert.equal(images.data?.length, 3);
    const speech = await client(key).audio.speech.create({ model: 'any', input: 'Hello', voice: 'alloy' });
    assert.equal(Buffer.from(await speech.arrayBuffer()).toString('latin1', 0, 4), 'RIFF');
    const judged = await client(key).moderations.create({ input: ['x', 'y'] });
    assert.equal(judged.results.length, 2);
    for (const row of rowsOf(await gateway().keyfold.request('GET', `/v1/calls?key_id=${key.id}`)))
      assert.equal(row['cost_usd'], '0.00');
  });

  test('a provider that does not serve a path is named', async () => {
    const created = await gateway().keyfold.request('POST', '/v1/credentials', {
      provider: 'deepseek',
      name: 'no images',
      secret: PROVIDER_SECRET,
      base_url: standIn().url,
      allow_networks: ['127.0.0.0/8'],
      models: ['deepseek-flash'],
    });
    assert.equal(created.status, 201, created.text);
    const key = await issueKey(gateway(), { permissions: ['images', 'embeddings'] });
    const ask = { model: 'deepseek/deepseek-flash', prompt: 'A cat', input: 'x' };
    for (const path of ['/v1/images/generations', '/v1/embeddings']) {
      const refused = await post(key, path, ask);
      const error = assertRefused(refused, { status: 400, code: 'unsupported_parameter', param: 'model' });
      assert.ok(String(error['message']).includes(path) && String(error['message']).includes('deepseek'));
    }
  });
});

function fixture(name: string): Buffer {
  return readFileSync(new URL(`../../src/providers/openai/__fixtures__/${name}`, import.meta.url));
}

function fixtureJson(name: string): object {
  return JSON.parse(fixture(name).toString()) as object;
}
