import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { testProvider } from './provider.contract.ts';
import type { Endpoint } from './provider.ts';
import { findProvider } from './registry.ts';
import { sandbox } from './sandbox/provider.ts';
import { modelCall } from '../../test/model-call.ts';

for (const id of ['openai', 'deepseek', 'openai-compatible']) {
  const provider = findProvider(id);
  assert.ok(provider);
  const fixture = (name: string) => readFileSync(new URL(`${id}/__fixtures__/${name}`, import.meta.url));
  testProvider(id, {
    provider,
    endpoint: 'chat.completions',
    secretHeader: 'authorization',
    stream: fixture('chat-usage.sse'),
    streamWithoutUsage: fixture('chat-no-usage.sse'),
    streamWithError: fixture('chat-error.sse'),
    body: fixture('chat.json'),
    hasUsageInAnswer: id === 'deepseek',
  });
}

const openai = findProvider('openai');
assert.ok(openai);
const fixtureOfOpenAi = (name: string) =>
  readFileSync(new URL(`openai/__fixtures__/${name}`, import.meta.url));

testProvider('openai as to responses', {
  provider: openai,
  endpoint: 'responses',
  secretHeader: 'authorization',
  stream: fixtureOfOpenAi('response-usage.sse'),
  streamWithoutUsage: fixtureOfOpenAi('response-no-usage.sse'),
  streamWithError: fixtureOfOpenAi('response-error.sse'),
  body: fixtureOfOpenAi('response.json'),
  hasUsageInAnswer: true,
});

const anthropic = findProvider('anthropic');
assert.ok(anthropic);
const fixtureOfAnthropic = (name: string) =>
  readFileSync(new URL(`anthropic/__fixtures__/${name}`, import.meta.url));

testProvider('anthropic', {
  provider: anthropic,
  endpoint: 'messages',
  secretHeader: 'x-api-key',
  stream: fixtureOfAnthropic('stream-usage.sse'),
  streamWithoutUsage: fixtureOfAnthropic('stream-no-usage.sse'),
  streamWithError: fixtureOfAnthropic('stream-error.sse'),
  body: fixtureOfAnthropic('messages.json'),
});

const gemini = findProvider('gemini');
assert.ok(gemini);
const fixtureOfGemini = (name: string) =>
  readFileSync(new URL(`gemini/__fixtures__/${name}`, import.meta.url));

testProvider('gemini', {
  provider: gemini,
  endpoint: 'streamGenerateContent',
  secretHeader: 'x-goog-api-key',
  stream: fixtureOfGemini('stream-usage.sse'),
  streamWithoutUsage: fixtureOfGemini('stream-no-usage.sse'),
  streamWithError: fixtureOfGemini('stream-error.sse'),
  body: fixtureOfGemini('generate.json'),
});

function sandboxAnswer(body: object, endpoint: Endpoint = 'chat.completions'): Buffer {
  const messages = [{ role: 'user', content: 'say "usage" — 言葉' }];
  const answer = sandbox.answer?.(modelCall({ model: 'echo', messages, ...body }, { endpoint }));
  assert.equal(answer?.status, 200);
  return Buffer.concat(answer?.chunks ?? []);
}

const stream = sandboxAnswer({ stream: true });
const withoutUsage = stream.toString().replace(/data: [^\n]*"choices":\[\][^\n]*\n\n/, '');

testProvider('sandbox', {
  provider: sandbox,
  endpoint: 'chat.completions',
  stream: sandboxAnswer({ stream: true, stream_options: { include_usage: true } }),
  streamWithoutUsage: Buffer.from(withoutUsage),
  streamWithError: Buffer.from(withoutUsage.replace('data: [DONE]', 'data: {"error":{"message":"x"}}')),
  body: sandboxAnswer({}),
});

const message = sandboxAnswer({ stream: true, max_tokens: 64 }, 'messages');
const withoutDelta = message.toString().replace(/event: message_delta\n[^\n]*\n\n/, '');

testProvider("sandbox in Anthropic's dialect", {
  provider: sandbox,
  endpoint: 'messages',
  stream: message,
  streamWithoutUsage: Buffer.from(withoutDelta),
  streamWithError: Buffer.from(
    withoutDelta.replace(/event: message_stop\n[^\n]*/, 'event: error\ndata: {"type":"error"}'),
  ),
  body: sandboxAnswer({ max_tokens: 64 }, 'messages'),
});

describe('findProvider', () => {
  test('knows every provider by its own id, and no other', () => {
    for (const id of ['openai', 'anthropic', 'gemini', 'deepseek', 'openai-compatible', 'sandbox'])
      assert.equal(findProvider(id)?.id, id);
    for (const id of ['', 'constructor', '__proto__', 'OPENAI']) assert.equal(findProvider(id), undefined);
  });

  test("OpenAI's chat is limited by the newer field", () => {
    const call = modelCall({ model: 'm', messages: [] }, { outputTokensCap: 5 });
    const bodyOf = (id: string) => findProvider(id)?.buildRequest(call, 's').body.toString() ?? '';
    assert.match(bodyOf('openai'), /"max_completion_tokens":5/);
    assert.match(bodyOf('deepseek'), /"max_tokens":5/);
    assert.match(bodyOf('openai-compatible'), /"max_tokens":5/);
  });
});
