import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { modelCall, runTap, type TapResult } from '../../../test/model-call.ts';
import { createStreamTap } from './usage-tap.ts';

const USAGE = {
  inputTokens: 232,
  cachedInputTokens: 768,
  cacheWriteTokens: 0,
  outputTokens: 12,
  reasoningTokens: 214,
};

function fixture(name: string): Buffer {
  return readFileSync(new URL(`__fixtures__/${name}`, import.meta.url));
}

function run(stream: Buffer | string, cuts: readonly number[] = []): TapResult {
  return runTap(createStreamTap(modelCall({ model: 'm', stream: true })), Buffer.from(stream), cuts);
}

describe("DeepSeek's stream tap", () => {
  test('reads the usage on the last piece of the answer, which passes with all before it', () => {
    const stream = fixture('chat-usage.sse');
    assert.deepEqual(run(stream), {
      relayed: stream.toString(),
      summary: { reading: { usage: USAGE }, completed: true },
    });
  });

  test('an answer that DeepSeek breaks off is not complete, though its stream ends as any other', () => {
    const stream = fixture('chat-interrupted.sse').toString();
    const broken = run(stream);
    assert.equal(broken.relayed, stream);
    assert.deepEqual(broken.summary, { reading: { usage: USAGE }, completed: false });
    assert.equal(run(stream.replace('insufficient_system_resource', 'aborted')).summary.completed, false);
    for (let cut = 0; cut <= stream.length; cut++)
      assert.deepEqual(run(stream, [cut]), broken, `cut at ${cut}`);
  });

  test('only a finish reason breaks an answer off, not what is said', () => {
    const stream = fixture('chat-usage.sse').toString();
    for (const piece of [
      { content: '"finish_reason":"insufficient_system_resource"' },
      { tool_calls: [{ index: 0, function: { name: 'aborted', arguments: '"aborted"' } }] },
    ]) {
      const choices = [{ index: 0, delta: piece, finish_reason: null }];
      const said = `data: ${JSON.stringify({ choices, usage: null })}\n\n`;
      assert.equal(run(said + stream).summary.completed, true);
    }
    const stray =
      'data: {"x":"aborted"}\n\ndata: {"choices":"aborted"}\n\ndata: {"choices":[null,"aborted"]}\n\n';
    assert.equal(run(stray + stream).summary.completed, true);
  });
});
