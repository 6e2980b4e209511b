import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { testProvider } from './provider.contract.ts';
import { findProvider } from './registry.ts';
import { sandbox } from './sandbox/provider.ts';
import { modelCall, readFixture } from '../../test/model-call.ts';

for (const id of ['openai', 'openai-compatible']) {
  const provider = findProvider(id);
  assert.ok(provider);
  testProvider(id, {
    provider,
    stream: readFixture('chat-usage.sse'),
    streamWithoutUsage: readFixture('chat-no-usage.sse'),
    streamWithError: readFixture('chat-error.sse'),
    body: readFixture('chat.json'),
  });
}

function sandboxAnswer(body: object): Buffer {
  const answer = sandbox.answer?.(
    modelCall({ model: 'echo', messages: [{ role: 'user', content: 'say "usage" — 言葉' }], ...body }),
  );
  assert.equal(answer?.status, 200);
  return Buffer.concat(answer?.chunks ?? []);
}

const stream = sandboxAnswer({ stream: true });
const withoutUsage = stream.toString().replace(/data: [^\n]*"choices":\[\][^\n]*\n\n/, '');

testProvider('sandbox', {
  provider: sandbox,
  stream: sandboxAnswer({ stream: true, stream_options: { include_usage: true } }),
  streamWithoutUsage: Buffer.from(withoutUsage),
  streamWithError: Buffer.from(withoutUsage.replace('data: [DONE]', 'data: {"error":{"message":"x"}}')),
  body: sandboxAnswer({}),
});

describe('findProvider', () => {
  test('knows every provider by its own id, and no other', () => {
    for (const id of ['openai', 'openai-compatible', 'sandbox']) assert.equal(findProvider(id)?.id, id);
    for (const id of ['', 'constructor', '__proto__', 'OPENAI']) assert.equal(findProvider(id), undefined);
  });

  test("OpenAI's chat is limited by the newer field", () => {
    const call = modelCall({ model: 'm', messages: [] }, { outputTokensCap: 5 });
    const bodyOf = (id: string) => findProvider(id)?.buildRequest(call, 's').body.toString() ?? '';
    assert.match(bodyOf('openai'), /"max_completion_tokens":5/);
    assert.match(bodyOf('openai-compatible'), /"max_tokens":5/);
  });
});
