import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ApiError, GoogleGenAI } from '@google/genai';
import { rowsOf } from '../control/support.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { type GeminiStandIn, startGeminiStandIn } from '../gemini-stand-in.ts';
import { type TestKeyfold, startTestKeyfold } from '../keyfold.ts';

const MODEL = 'gemini-test';
const SECRET = 'google-stand-in-secret';
const PRICE = {
  input_usd_per_million: '1.25',
  output_usd_per_million: '10',
  cached_input_usd_per_million: '0.31',
  context_tokens: 1_048_576,
  output_tokens_max: 65_536,
};

for (const kind of DATABASE_KINDS) {
  describe(`Google's client on ${kind.name}`, () => {
    let keyfold: TestKeyfold;
    let gemini: GeminiStandIn;
    const client = (apiKey: string) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl: keyfold.url } });
    const createKey = async (rules: object = {}) => {
      const permissions = ['chat', 'embeddings'];
      const made = await keyfold.request('POST', '/v1/keys', { permissions, ...rules });
      assert.equal(made.status, 201, made.text);
      return String(made.body['api_key']);
    };
    const lastCall = async () => rowsOf(await keyfold.request('GET', '/v1/calls?limit=1'))[0];
    const refusalOf = async (asked: Promise<unknown>) => {
      const error: unknown = await asked.then(
        () => assert.fail('it was not refused'),
        (reason: unknown) => reason,
      );
      assert.ok(error instanceof ApiError, String(error));
      return { status: error.status, text: error.message };
    };

    before(async () => {
      gemini = await startGeminiStandIn();
      keyfold = await startTestKeyfold(kind);
      const credential = await keyfold.request('POST', '/v1/credentials', {
        provider: 'google',
        name: 'stand-in',
        secret: SECRET,
        base_url: gemini.url,
        allow_networks: ['127.0.0.0/8'],
        models: [MODEL],
      });
      assert.equal(credential.status, 201, credential.text);
      const priced = await keyfold.request('PUT', `/v1/catalog/models/google/${MODEL}`, PRICE);
      assert.equal(priced.status, 200, priced.text);
    });
    after(async () => {
      await keyfold.stop();
      await gemini[Symbol.asyncDispose]();
    });

    test('contents go through byte for byte, with the credential in place of the key', async () => {
      const key = await createKey();
      const raw = '{ "contents":[{"parts":[{"text":"H\\u00e9llo"}]}], "x_new": [1, {"a":null}]}';
      const path = `/v1beta/models/${MODEL}:generateContent`;
      const answer = await keyfold.request('POST', path, raw, {
        key: null,
        headers: { 'x-goog-api-key': key },
      });
      assert.equal(answer.status, 200, answer.text);
      const asked = gemini.asked.at(-1);
      assert.equal(asked?.path, path);
      assert.equal(asked.bytes.toString('utf8'), raw);
      assert.equal(asked.headers['x-goog-api-key'], SECRET);
      assert.equal(answer.headers.get('x-keyfold-provider'), 'google');
    });

    test('answers, streams, tools, thoughts, counted tokens and embeddings arrive as the client expects them', async () => {
      const { models } = client(await createKey());
      const parameters = { type: 'object', properties: { city: { type: 'string' } } };
      const answer = await models.generateContent({
        model: MODEL,
        contents: 'Hello',
        config: {
          thinkingConfig: { includeThoughts: true },
          tools: [{ functionDeclarations: [{ name: 'weather', parametersJsonSchema: parameters }] }],
        },
      });
      assert.equal(answer.text, 'Hello from Gemini');
      assert.deepEqual(answer.functionCalls?.[0]?.args, { city: 'Bern' });
      const texts: string[] = [];
      for await (const chunk of await models.generateContentStream({ model: MODEL, contents: 'Hello' })) {
        texts.push(chunk.text ?? '');
      }
      assert.equal(texts.join(''), 'Hello from Gemini');
      assert.equal((await models.countTokens({ model: MODEL, contents: 'Hello' })).totalTokens, 42);
      assert.equal((await lastCall())?.['cost_usd'], '0.00');
      const embedded = await models.embedContent({ model: MODEL, contents: ['a', 'b'] });
      assert.deepEqual(
        embedded.embeddings?.map(({ values }) => values),
        [
          [0.25, -0.5],
          [0.25, -0.5],
        ],
      );
      // 10 × 1,250 nano-dollars.
      assert.equal((await lastCall())?.['cost_usd'], '0.0000125');
    });

    test('what is cached and thought is charged in its own class, to the nano-dollar, streamed or not', async () => {
      const { models } = client(await createKey());
      gemini.usageMetadata = {
        promptTokenCount: 1_106,
        cachedContentTokenCount: 1_024,
        candidatesTokenCount: 12,
        thoughtsTokenCount: 31,
        totalTokenCount: 1_149,
      };
      const asked = { model: MODEL, contents: 'x'.repeat(3_000) };
      await models.generateContent(asked);
      // 82 × 1,250 + 1,024 × 310 + (12 + 31) × 10,000 nano-dollars.
      assert.equal((await lastCall())?.['cost_usd'], '0.00084994');
      for await (const chunk of await models.generateContentStream(asked)) assert.ok(chunk);
      assert.equal((await lastCall())?.['cost_usd'], '0.00084994');
      gemini.usageMetadata = { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 };
    });

    test('refusals are in the form that the client reads', async () => {
      const generate = (apiKey: string, model = MODEL) =>
        client(apiKey).models.generateContent({ model, contents: 'Hello' });
      const key = await createKey();
      const wrong = await refusalOf(generate('kf_live_wrong'));
      assert.equal(wrong.status, 401);
      assert.match(wrong.text, /UNAUTHENTICATED/);
      assert.equal((await refusalOf(generate(key, 'gemini-none'))).status, 404);
      assert.equal((await refusalOf(generate(await createKey({ models: ['gpt-*'] })))).status, 403);
      const limited = await createKey({ limits: { requests_per_minute: 1, tokens_per_minute: 1 } });
      assert.match((await refusalOf(generate(limited))).text, /RESOURCE_EXHAUSTED/);
      const poor = await refusalOf(generate(await createKey({ budgets: { total_usd: '0.000001' } })));
      assert.equal(poor.status, 402);
      assert.match(poor.text, /budget_exhausted/);
      gemini.failNext(400, 'INVALID_ARGUMENT', 'contents: too few');
      assert.match((await refusalOf(generate(key))).text, /contents: too few/);
      gemini.failNext(403, 'PERMISSION_DENIED', `the key ${SECRET} is wrong`);
      const refused = await refusalOf(generate(key));
      assert.equal(refused.status, 502);
      assert.ok(!refused.text.includes(SECRET));
    });

    test('what has no price here is refused by name, and nothing is sent', async () => {
      const key = await createKey();
      const before = gemini.asked.length;
      for (const [fields, param] of [
        [{ tools: [{ googleSearch: {} }] }, 'tools.0.googleSearch'],
        [{ tools: { googleSearch: {} } }, 'tools'],
        [{ serviceTier: 'priority' }, 'serviceTier'],
        [{ generationConfig: { responseModalities: ['IMAGE'] } }, 'generationConfig.responseModalities'],
      ] as const) {
        const body = { contents: [{ parts: [{ text: 'x' }] }], ...fields };
        const answer = await keyfold.request('POST', `/v1beta/models/${MODEL}:generateContent`, body, key);
        const error = answer.body['error'] as { status: string; details: { metadata: { param: string } }[] };
        assert.deepEqual(
          [answer.status, error.status, error.details[0]?.metadata.param],
          [400, 'INVALID_ARGUMENT', param],
        );
      }
      const path = `/v1beta/models/${MODEL}:streamGenerateContent`;
      assert.equal((await keyfold.request('POST', path, { contents: [] }, key)).status, 400);
      assert.equal(gemini.asked.length, before);
    });
  });
}
