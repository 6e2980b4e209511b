/** `signedFetch` under the clients that people use: OpenAI's and Vercel's through the gateway, Anthropic's on the wire. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createOpenAI } from '@ai-sdk/openai';
import Anthropic from '@anthropic-ai/sdk';
import { generateText, streamText } from 'ai';
import OpenAI from 'openai';
import { DATABASE_KINDS } from '../../server/test/databases.ts';
import { type TestKeyfold, startTestKeyfold } from '../../server/test/keyfold.ts';
import { signedFetch } from '../src/index.ts';
import { startVerifier } from '../src/signing/test-verifier.ts';

const [SQLITE] = DATABASE_KINDS;
const SCHEMES = ['2', 'rfc9421'] as const;
const MODEL = 'sandbox/echo';

describe('official clients that sign', () => {
  let keyfold: TestKeyfold;
  let keyId = '';
  let signingSecret = '';
  before(async () => {
    assert.ok(SQLITE);
    keyfold = await startTestKeyfold(SQLITE);
    const made = await keyfold.request('POST', '/v1/keys', {
      permissions: ['chat'],
      signing: { required: true, versions: SCHEMES },
    });
    assert.equal(made.status, 201, made.text);
    keyId = String(made.body['id']);
    signingSecret = String(made.body['signing_secret']);
  });
  after(() => keyfold.stop());

  for (const version of SCHEMES) {
    const options = () => ({
      baseURL: `${keyfold.url}/v1`,
      apiKey: 'is not sent',
      fetch:
        version === '2'
          ? signedFetch({ version, keyId, signingSecret })
          : signedFetch({ version, keyId, signingSecret }),
    });

    test(`openai, version ${version}: a call and a stream`, async () => {
      const openai = new OpenAI(options());
      const messages = [{ role: 'user' as const, content: 'Hello, signed world' }];
      const answer = await openai.chat.completions.create({ model: MODEL, messages });
      assert.equal(answer.choices[0]?.message.content, 'Hello, signed world');
      const stream = await openai.chat.completions.create({ model: MODEL, messages, stream: true });
      let text = '';
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
      assert.equal(text, 'Hello, signed world');
    });

    test(`Vercel's ai, version ${version}: a call and a stream`, async () => {
      const model = createOpenAI(options()).chat(MODEL);
      const answer = await generateText({ model, prompt: 'Hello from Vercel' });
      assert.equal(answer.text, 'Hello from Vercel');
      let text = '';
      for await (const part of streamText({ model, prompt: 'Hello in pieces' }).textStream) text += part;
      assert.equal(text, 'Hello in pieces');
    });

    test(`Anthropic's, version ${version}: what arrives is signed, and its own key is not sent`, async () => {
      await using verifier = await startVerifier({ keyId, secret: signingSecret });
      verifier.answer = (response) => {
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({
            id: 'msg_1',
            type: 'message',
            role: 'assistant',
            model: 'claude',
            content: [{ type: 'text', text: 'Hello' }],
            stop_reason: 'end_turn',
            stop_sequence: null,
            usage: { input_tokens: 1, output_tokens: 1 },
          }),
        );
      };
      const anthropic = new Anthropic({ ...options(), baseURL: verifier.origin });
      const answer = await anthropic.messages.create({
        model: 'claude',
        max_tokens: 5,
        messages: [{ role: 'user', content: 'Hello' }],
      });
      assert.equal(answer.content[0]?.type, 'text');
      assert.deepEqual(
        verifier.arrivals.map(({ verdict, target }) => [verdict, target]),
        [['good', '/v1/messages']],
      );
      assert.equal(verifier.arrivals[0]?.headers['x-api-key'], undefined);
    });
  }
});
