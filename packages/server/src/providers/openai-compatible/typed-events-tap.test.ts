import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { runTap } from '../../../test/model-call.ts';
import { mapUsage } from '../openai/map-usage.ts';
import { TypedEventsTap } from './typed-events-tap.ts';

const USAGE = {
  inputTokens: 82,
  cachedInputTokens: 1024,
  cacheWriteTokens: 0,
  outputTokens: 12,
  reasoningTokens: 64,
};
const REPORT = {
  input_tokens: 1106,
  input_tokens_details: { cached_tokens: 1024, cache_write_tokens: 0 },
  output_tokens: 76,
  output_tokens_details: { reasoning_tokens: 64 },
  total_tokens: 1182,
};

function fixture(name: string): Buffer {
  return readFileSync(new URL(`../openai/__fixtures__/${name}`, import.meta.url));
}

function summaryOf(stream: Buffer | string, cuts: readonly number[] = []) {
  const { relayed, summary } = runTap(new TypedEventsTap('responses', mapUsage), Buffer.from(stream), cuts);
  assert.equal(relayed, stream.toString());
  return summary;
}

function completed(response: object): string {
  const data = { type: 'response.completed', sequence_number: 1, response };
  return `event: response.completed\ndata: ${JSON.stringify(data)}\n\n`;
}

describe('TypedEventsTap', () => {
  test('reads the usage of the last event, and of no text that looks like it', () => {
    assert.deepEqual(summaryOf(fixture('response-usage.sse')), {
      reading: { usage: USAGE },
      completed: true,
    });
    const incomplete = summaryOf(fixture('response-incomplete.sse'));
    assert.deepEqual(incomplete, { reading: { usage: USAGE }, completed: true });
  });

  test('an answer of many megabytes in the last event is no hindrance, however it is cut', () => {
    const text = '{"usage":{"input_tokens":1}} \\" '.repeat(200_000);
    const stream = completed({ output: [{ text }], usage: REPORT, tools: [{ usage: { input_tokens: 7 } }] });
    assert.ok(stream.length > 6_000_000);
    const cuts = [1, 70, 5_000_000, stream.length - 300, stream.length - 150, stream.length - 3];
    assert.deepEqual(summaryOf(stream, cuts), { reading: { usage: USAGE }, completed: true });
  });

  test('a stream that fails, breaks off or says no more is not complete', () => {
    for (const name of ['response-failed.sse', 'response-error.sse']) {
      assert.deepEqual('problem' in summaryOf(fixture(name)).reading, true, name);
    }
    assert.equal(summaryOf(fixture('response-error.sse')).completed, false);
    const whole = fixture('response-usage.sse').toString();
    const beforeLast = whole.slice(0, whole.indexOf('event: response.completed'));
    assert.deepEqual(summaryOf(beforeLast), { reading: { problem: 'missing' }, completed: false });
    const cut = summaryOf(whole.slice(0, -10));
    assert.deepEqual(cut, { reading: { problem: 'malformed' }, completed: false });
  });

  test('an error without a type fails the stream, whatever was completed', () => {
    const stream = `${completed({ usage: REPORT })}data: {"error":{"message":"x"}}\n\n`;
    assert.equal(summaryOf(stream).completed, false);
  });

  test('two usages leave open which one counts', () => {
    for (const stream of [
      completed({ usage: REPORT }).repeat(2),
      completed({ usage: REPORT }).replace('"usage":', `"usage":${JSON.stringify(REPORT)},"usage":`),
    ]) {
      assert.deepEqual(summaryOf(stream).reading, { problem: 'malformed' });
    }
  });

  test('how the call was served is told with the response', () => {
    const served = (service_tier: unknown) => summaryOf(completed({ service_tier, usage: REPORT })).reading;
    assert.deepEqual(served('priority'), { usage: USAGE, unpriced: ['priority_tier'] });
    for (const tier of ['default', 'flex', null]) assert.deepEqual(served(tier), { usage: USAGE });
  });
});
