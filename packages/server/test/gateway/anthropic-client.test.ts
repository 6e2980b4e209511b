import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { type AnthropicStandIn, startAnthropicStandIn } from '../anthropic-stand-in.ts';
import { rowsOf } from '../control/support.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { type TestKeyfold, startTestKeyfold } from '../keyfold.ts';

const MODEL = 'claude-test';
const SECRET = 'sk-ant-stand-in';
const HELLO = [{ role: 'user' as const, content: 'Hello' }];
const PRICE = {
  input_usd_per_million: '3',
  output_usd_per_million: '15',
  cached_input_usd_per_million: '0.3',
  cache_write_usd_per_million: '3.75',
  context_tokens: 200_000,
  output_tokens_max: 8_192,
};

for (const kind of DATABASE_KINDS) {
  describe(`Anthropic's client on ${kind.name}`, () => {
    let keyfold: TestKeyfold;
    let claude: AnthropicStandIn;
    const client = (apiKey: string) => new Anthropic({ baseURL: keyfold.url, apiKey, maxRetries: 0 });
    const createKey = async (rules: object = {}) => {
      const made = await keyfold.request('POST', '/v1/keys', { permissions: ['chat'], ...rules });
      assert.equal(made.status, 201, made.text);
      return String(made.body['api_key']);
    };
    const lastCall = async () => rowsOf(await keyfold.request('GET', '/v1/calls?limit=1'))[0];

    before(async () => {
      claude = await startAnthropicStandIn();
      keyfold = await startTestKeyfold(kind);
      const credential = await keyfold.request('POST', '/v1/credentials', {
        provider: 'anthropic',
        name: 'stand-in',
        secret: SECRET,
        base_url: claude.url,
        allow_networks: ['127.0.0.0/8'],
        models: [MODEL],
      });
      assert.equal(credential.status, 201, credential.text);
      const priced = await keyfold.request('PUT', `/v1/catalog/models/anthropic/${MODEL}`, PRICE);
      assert.equal(priced.status, 200, priced.text);
    });
    after(async () => {
      await keyfold.stop();
      await claude[Symbol.asyncDispose]();
    });

    test('a message goes through byte for byte, with the credential in place of the key', async () => {
      const key = await createKey();
      const raw = `{ "model":"${MODEL}",  "max_tokens": 20, "messages":[{"role":"user","content":"H\\u00e9llo"}], "x_new": [1, {"a":null}]}`;
      const answer = await keyfold.request('POST', '/v1/messages', raw, {
        key: null,
        headers: { 'x-api-key': key, 'anthropic-version': '2023-06-01' },
      });
      assert.equal(answer.status, 200, answer.text);
      const asked = claude.asked.at(-1);
      assert.equal(asked?.bytes.toString('utf8'), raw);
      assert.equal(asked?.headers['x-api-key'], SECRET);
      assert.equal(asked?.headers['authorization'], undefined);
      assert.equal(asked?.headers['anthropic-version'], '2023-06-01');
      assert.equal(answer.headers.get('x-keyfold-provider'), 'anthropic');
      assert.equal(answer.headers.get('request-id'), answer.headers.get('x-request-id'));
    });

    test('messages, streams, tools, thinking and counted tokens arrive as the client expects them', async () => {
      const anthropic = client(await createKey());
      const message = await anthropic.messages.create({
        model: MODEL,
        max_tokens: 2_000,
        messages: HELLO,
        thinking: { type: 'enabled', budget_tokens: 1_024 },
        tools: [
          { name: 'weather', input_schema: { type: 'object', properties: { city: { type: 'string' } } } },
        ],
      });
      assert.deepEqual(
        message.content.map(({ type }) => type),
        ['thinking', 'text', 'tool_use'],
      );
      assert.equal(message.stop_reason, 'tool_use');
      const stream = anthropic.messages.stream({ model: MODEL, max_tokens: 20, messages: HELLO });
      assert.equal(await stream.finalText(), 'Hello from Claude');
      assert.equal((await stream.finalMessage()).usage.output_tokens, 5);
      const counted = await anthropic.messages.countTokens({ model: MODEL, messages: HELLO });
      assert.equal(counted.input_tokens, 42);
      assert.equal((await lastCall())?.['cost_usd'], '0.00');
    });

    test('what is cached, written to a cache and thought is charged in its own class, to the nano-dollar', async () => {
      const anthropic = client(await createKey());
      claude.usage = {
        input_tokens: 11,
        cache_creation_input_tokens: 700,
        cache_read_input_tokens: 1_300,
        output_tokens: 97,
      };
      await anthropic.messages.create({
        model: MODEL,
        max_tokens: 200,
        messages: [{ role: 'user', content: 'x'.repeat(3_000) }],
      });
      // 11 × 3,000 + 700 × 3,750 + 1,300 × 300 + 97 × 15,000 nano-dollars.
      const call = await lastCall();
      assert.equal(call?.['cost_usd'], '0.004503');
      assert.equal(call['endpoint'], 'messages');
      claude.usage = { input_tokens: 10, output_tokens: 5 };
      for await (const event of await anthropic.messages.create({
        model: MODEL,
        max_tokens: 20,
        messages: HELLO,
        stream: true,
      })) {
        assert.ok(event.type !== undefined);
      }
      assert.equal((await lastCall())?.['cost_usd'], '0.000105');
    });

    test('refusals are what the client throws its own errors for', async () => {
      const create = (apiKey: string, fields: object = {}) =>
        client(apiKey).messages.create({ model: MODEL, max_tokens: 20, messages: HELLO, ...fields } as never);
      const key = await createKey();
      await assert.rejects(create('kf_live_wrong'), Anthropic.AuthenticationError);
      await assert.rejects(create(key, { model: 'claude-none' }), Anthropic.NotFoundError);
      await assert.rejects(create(await createKey({ models: ['gpt-*'] })), Anthropic.PermissionDeniedError);
      await assert.rejects(
        create(await createKey({ limits: { requests_per_minute: 1, tokens_per_minute: 1 } })),
        Anthropic.RateLimitError,
      );
      await assert.rejects(
        create(await createKey({ budgets: { total_usd: '0.000001' } })),
        (error: unknown) => {
          assert.ok(error instanceof Anthropic.APIError);
          assert.equal(error.status, 402);
          assert.deepEqual(
            [
              (error.error as { type: string }).type,
              (error.error as { error: { type: string; code: string } }).error.type,
            ],
            ['error', 'billing_error'],
          );
          return true;
        },
      );
      claude.failNext(400, 'invalid_request_error', 'messages: too few');
      await assert.rejects(create(key), /messages: too few/);
      claude.failNext(529, 'overloaded_error', 'Overloaded');
      await assert.rejects(create(key), Anthropic.InternalServerError);
      claude.failNext(401, 'authentication_error', `the key ${SECRET} is wrong`);
      await assert.rejects(create(key), (error: unknown) => {
        assert.ok(error instanceof Anthropic.APIError && error.status === 502);
        assert.ok(!JSON.stringify(error.error).includes(SECRET));
        return true;
      });
    });

    test('what has no price here is refused by name, and nothing is sent', async () => {
      const key = await createKey();
      const before = claude.asked.length;
      for (const [fields, param] of [
        [{ tools: [{ type: 'web_search_20250305', name: 'web_search' }] }, 'tools.0.type'],
        [{ speed: 'fast' }, 'speed'],
        [{ inference_geo: 'us' }, 'inference_geo'],
        [{ container: 'c' }, 'container'],
        [{ mcp_servers: [] }, 'mcp_servers'],
      ] as const) {
        const body = { model: MODEL, max_tokens: 20, messages: HELLO, ...fields };
        const answer = await keyfold.request('POST', '/v1/messages', body, key);
        const error = answer.body['error'] as { type: string; code: string; param: string };
        assert.deepEqual([answer.status, error.code, error.param], [400, 'unsupported_parameter', param]);
      }
      assert.equal(claude.asked.length, before);
    });

    test('what is no chat is asked in the dialect that its provider speaks, and the refusal says where', async () => {
      const key = await createKey({ permissions: ['chat', 'embeddings'] });
      const body = { model: MODEL, input: 'Hello' };
      const answer = await keyfold.request('POST', '/v1/embeddings', body, key);
      const error = answer.body['error'] as { code: string; message: string };
      assert.deepEqual([answer.status, error.code], [400, 'unsupported_parameter']);
      assert.match(error.message, /\/v1\/messages/);
    });

    test('a test key is answered by the sandbox, in this dialect, too', async () => {
      const anthropic = client(await createKey({ kind: 'test' }));
      const message = await anthropic.messages.create({
        model: 'claude-anything',
        max_tokens: 20,
        messages: HELLO,
      });
      const [block] = message.content;
      assert.equal(block?.type === 'text' ? block.text : block?.type, 'Hello');
      const stream = anthropic.messages.stream({ model: 'claude-anything', max_tokens: 20, messages: HELLO });
      assert.equal(await stream.finalText(), 'Hello');
    });

    test('the models are listed as the client reads them', async () => {
      const anthropic = client(await createKey());
      const models = [];
      for await (const model of anthropic.models.list()) models.push(model.id);
      assert.ok(models.includes(`anthropic/${MODEL}`), models.join());
    });
  });
}
