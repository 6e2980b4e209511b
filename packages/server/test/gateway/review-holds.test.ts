import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Answer, Body } from '../keyfold.ts';
import {
  type Gateway,
  addModel,
  assertRefused,
  callsOf,
  chatBody,
  describeGateway,
  issueKey,
  onlyCall,
} from './support.ts';

/** One dollar a million tokens in, two out: a token costs 1,000 or 2,000 nano-dollars. */
const SMALL = 'small-context';
const CONTEXT_TOKENS = 1_000;
const MEDIA_USD = 0.05;

describeGateway('what is held', { kinds: ['sqlite'] }, (gateway) => {
  test('a limit that the server does not know is written under the name that it knows', async () => {
    const { sent } = await post(gateway(), 'chat/completions', {
      ...chatBody({ max_tokens: undefined }),
      max_completion_tokens: 1,
    });
    assert.deepEqual([sent['max_tokens'], sent['max_completion_tokens']], [1, 1]);
    const { sent: completed } = await post(gateway(), 'completions', {
      model: 'stand-in',
      prompt: 'x',
      max_completion_tokens: 3,
    });
    assert.equal(completed['max_tokens'], 3);
  });

  test('a limit of zero, which some servers take for none, is refused', async () => {
    const key = await issueKey(gateway());
    for (const param of ['max_tokens', 'max_completion_tokens']) {
      const answer = await send(gateway(), 'chat/completions', {
        secret: key.secret,
        body: chatBody({ max_tokens: undefined, [param]: 0 }),
      });
      assertRefused(answer, { status: 400, code: 'invalid_request', param });
    }
  });

  test('each prompt of a list is an answer of its own', async () => {
    const of = (prompt: unknown) =>
      post(gateway(), 'completions', { model: 'stand-in', max_tokens: 1_000, prompt });
    for (const [prompt, count] of [
      ['a', 1],
      [[1, 2, 3], 1],
      [['a', 'b', 'c'], 3],
      [[[1], [2, 3]], 2],
      [[], 1],
    ] as const) {
      const { held } = await of(prompt);
      const output = count * 0.002;
      assert.ok(held >= output && held < output + 0.0018, `${JSON.stringify(prompt)} holds ${held}`);
    }
  });

  test('more prompts than a call may have, and answers beyond all measure, are refused', async () => {
    const key = await issueKey(gateway(), { budgets: { total_usd: '1' } });
    const refuse = async (body: object, param: string) => {
      const answer = await send(gateway(), 'completions', {
        secret: key.secret,
        body: { model: 'stand-in', ...body },
      });
      assertRefused(answer, { status: 400, code: 'invalid_request', param });
    };
    await refuse({ prompt: Array.from({ length: 1_001 }, () => 'a'), max_tokens: 1 }, 'prompt');
    const prompt = Array.from({ length: 1_000 }, () => 'a');
    await refuse({ prompt, n: 128, max_tokens: 10_000_000 }, 'max_tokens');
    assert.equal((await callsOf(gateway(), key)).length, 0);
  });

  test('a list of inputs is not bounded by one context', async () => {
    await addSmall(gateway());
    const text = 'x'.repeat(10_000);
    const embedded = await post(gateway(), 'embeddings', { model: SMALL, input: [text, text] });
    assert.ok(embedded.held > 0.02, String(embedded.held));
    const completed = await post(gateway(), 'completions', {
      model: SMALL,
      prompt: [text, text],
      max_tokens: 1,
    });
    assert.ok(completed.held > 0.02, String(completed.held));
    const chatted = await post(gateway(), 'chat/completions', {
      ...chatBody({ model: SMALL, max_tokens: 1 }),
      messages: [{ role: 'user', content: text + text }],
    });
    assert.equal(chatted.held, 0.001_002);
  });

  for (const [name, messages, parts] of [
    ['no media', '[{"role":"user","content":[{"type":"text","text":"an \\"image_url\\""}]}]', 0],
    ['text in pieces', '[{"role":"user","content":["a","b"]}]', 0],
    ['an image', '[{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]}]', 1],
    ['an image in disguise', '[{"role":"user","content":[{"type":"image\\u005furl"}]}]', 1],
    ['an image in a content in disguise', '[{"role":"user","c\\u006fntent":[{"type":"image_url"}]}]', 1],
    ['a recording by its address', '[{"role":"user","content":[{"type":"audio_url"}]}]', 100],
    ['an image without a type', '[{"role":"user","content" : [{"image_url":"u"}]}]', 1],
    ['what nobody knows, and a text', '[{"role":"user","content":[{"type":"x"},{"type":"text"}]}]', 100],
    ['one image that is no list', '[{"role":"user","content":{"type":"image"}}]', 1],
    [
      'two images in two messages',
      '[{"role":"user","content":[{"type":"input_image"}]},{"role":"tool","content":[{"type":"image"}]}]',
      2,
    ],
  ] as const) {
    test(`as much as ${parts} images is held for ${name}`, async () => {
      const body = `{"model":"stand-in","max_tokens":1,"messages":${messages}}`;
      const { held } = await post(gateway(), 'chat/completions', body);
      assert.ok(held >= parts * MEDIA_USD && held < (parts + 0.1) * MEDIA_USD, String(held));
    });
  }

  test('an earlier answer in sound, which may be that of another key, is refused', async () => {
    const key = await issueKey(gateway());
    const answer = await send(gateway(), 'chat/completions', {
      secret: key.secret,
      body: { ...chatBody(), messages: [{ role: 'assistant', audio: { id: 'audio_1' } }] },
    });
    assertRefused(answer, { status: 400, code: 'unsupported_parameter', param: 'messages.0.audio.id' });
  });

  test('inputs of an embedding that are no text are media', async () => {
    const { held } = await post(gateway(), 'embeddings', {
      model: 'stand-in',
      input: [{ image: 'u' }, 'text'],
    });
    assert.ok(held >= MEDIA_USD && held < 1.1 * MEDIA_USD, String(held));
  });
});

/** One call of a key of its own: what was held for it, and what the provider was sent. */
async function post(
  gateway: Gateway,
  path: string,
  body: object | string,
): Promise<{ readonly held: number; readonly sent: Body }> {
  const key = await issueKey(gateway, { budgets: { total_usd: '10' } });
  const answer = await send(gateway, path, { secret: key.secret, body });
  assert.equal(answer.status, 200, answer.text);
  const row = await onlyCall(gateway, key);
  return { held: Number(row['held_usd']), sent: gateway.provider.calls.at(-1)?.body ?? {} };
}

function send(
  { keyfold }: Gateway,
  path: string,
  of: { readonly secret: string; readonly body: object | string },
): Promise<Answer> {
  return keyfold.request('POST', `/v1/${path}`, of.body, { key: of.secret });
}

async function addSmall(gateway: Gateway): Promise<void> {
  await addModel(gateway, { name: SMALL, input: '1', output: '2' });
  const path = `/v1/catalog/models/openai-compatible/${SMALL}`;
  const priced = await gateway.keyfold.request('PUT', path, {
    input_usd_per_million: '1',
    output_usd_per_million: '2',
    context_tokens: CONTEXT_TOKENS,
  });
  assert.equal(priced.status, 200, priced.text);
}
