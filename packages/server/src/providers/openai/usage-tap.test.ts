import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import OpenAI from 'openai';
import { modelCall, runTap, type TapResult } from '../../../test/model-call.ts';
import { createStreamTap } from './usage-tap.ts';

function fixture(name: string): Buffer {
  return readFileSync(new URL(`__fixtures__/${name}`, import.meta.url));
}

function run(stream: Buffer): TapResult {
  return runTap(createStreamTap(modelCall({ model: 'm', stream: true })), stream);
}

describe("OpenAI's stream tap", () => {
  test("reads what OpenAI's own client reads", async () => {
    const headers = { 'content-type': 'text/event-stream' };
    const fetch = () => Promise.resolve(new Response(new Uint8Array(fixture('chat-usage.sse')), { headers }));
    const client = new OpenAI({ apiKey: 'k', fetch });
    const messages = [{ role: 'user', content: 'x' } as const];
    const chunks = await client.chat.completions.create({ model: 'm', messages, stream: true });
    let told: OpenAI.CompletionUsage | null | undefined;
    for await (const chunk of chunks) told = chunk.usage ?? told;
    const { reading, completed } = run(fixture('chat-usage.sse')).summary;
    assert.ok('usage' in reading && completed);
    const { usage } = reading;
    assert.equal(usage.inputTokens + usage.cachedInputTokens + usage.cacheWriteTokens, told?.prompt_tokens);
    assert.equal(usage.outputTokens + usage.reasoningTokens, told?.completion_tokens);
    assert.equal(usage.reasoningTokens, told?.completion_tokens_details?.reasoning_tokens);
    assert.equal(reading.unpriced, undefined);
  });

  test('how a call was served stands in the event that has the usage', () => {
    const stream = fixture('chat-usage.sse').toString();
    const served = (tier: string) =>
      run(Buffer.from(stream.replaceAll('"default"', `"${tier}"`))).summary.reading;
    const priority = served('priority');
    assert.ok('usage' in priority);
    assert.deepEqual(priority.unpriced, ['priority_tier']);
    const flex = served('flex');
    assert.ok('usage' in flex);
    assert.equal(flex.unpriced, undefined);
  });

  test('no usage is no usage', () => {
    for (const name of ['chat-no-usage.sse', 'chat-error.sse']) {
      assert.deepEqual(run(fixture(name)).summary.reading, { problem: 'missing' });
    }
  });
});
