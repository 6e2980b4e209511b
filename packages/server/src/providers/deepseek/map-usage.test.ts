import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { mapUsage, readBodyUsage } from './map-usage.ts';

const CHAT = 'chat.completions';
const base = { prompt_tokens: 100, completion_tokens: 50, total_tokens: 150 };
const cache = { prompt_cache_hit_tokens: 64, prompt_cache_miss_tokens: 36 };

function fixture(name: string): Buffer {
  return readFileSync(new URL(`__fixtures__/${name}`, import.meta.url));
}

describe('mapUsage', () => {
  test('what the cache had and what it had not are two classes', () => {
    const completion_tokens_details = { reasoning_tokens: 20 };
    assert.deepEqual(mapUsage(CHAT, { ...base, ...cache, completion_tokens_details }), {
      usage: {
        inputTokens: 36,
        cachedInputTokens: 64,
        cacheWriteTokens: 0,
        outputTokens: 30,
        reasoningTokens: 20,
      },
    });
  });

  test('the usual name may say the same, or stand alone', () => {
    const prompt_tokens_details = { cached_tokens: 64 };
    const twice = mapUsage(CHAT, { ...base, ...cache, prompt_tokens_details });
    assert.deepEqual(twice, mapUsage(CHAT, { ...base, ...cache }));
    assert.deepEqual(twice, mapUsage(CHAT, { ...base, prompt_tokens_details }));
    assert.deepEqual(twice, mapUsage(CHAT, { ...base, ...cache, prompt_tokens_details: null }));
  });

  test('without a word about the cache all of the prompt is input', () => {
    const reading = mapUsage(CHAT, base);
    assert.ok('usage' in reading);
    assert.deepEqual([reading.usage.inputTokens, reading.usage.cachedInputTokens], [100, 0]);
  });

  const problems: readonly [string, unknown, string][] = [
    ['no usage', undefined, 'missing'],
    ['null', null, 'missing'],
    ['usage as text', 'many', 'not_a_number'],
    ['hits without misses', { ...base, prompt_cache_hit_tokens: 64 }, 'missing'],
    ['misses without hits', { ...base, prompt_cache_miss_tokens: 36 }, 'missing'],
    ['negative hits', { ...base, ...cache, prompt_cache_hit_tokens: -64 }, 'negative'],
    ['hits as text', { ...base, ...cache, prompt_cache_hit_tokens: '64' }, 'not_a_number'],
    ['a prompt as text', { ...base, ...cache, prompt_tokens: '100' }, 'not_a_number'],
    ['no output', { ...base, ...cache, completion_tokens: null }, 'missing'],
    ['a sum that is not the prompt', { ...base, ...cache, prompt_cache_miss_tokens: 35 }, 'malformed'],
    ['two numbers of hits', { ...base, ...cache, prompt_tokens_details: { cached_tokens: 63 } }, 'malformed'],
    ['details as text', { ...base, ...cache, prompt_tokens_details: 'x' }, 'malformed'],
    ['an unexplained total', { ...base, ...cache, total_tokens: 151 }, 'malformed'],
  ];
  for (const [what, usage, problem] of problems) {
    test(`${what} is ${problem}, never repaired`, () => {
      assert.deepEqual(mapUsage(CHAT, usage), { problem });
    });
  }

  test('whatever is believed adds up to what DeepSeek counted', () => {
    const count = fc.oneof(fc.nat(200), fc.constantFrom(-1, 0.5, '1', null, undefined));
    fc.assert(
      fc.property(count, count, count, count, (prompt, completion, hits, misses) => {
        const reading = mapUsage(CHAT, {
          prompt_tokens: prompt,
          completion_tokens: completion,
          prompt_cache_hit_tokens: hits,
          prompt_cache_miss_tokens: misses,
        });
        if ('problem' in reading) return;
        const { usage } = reading;
        assert.equal(usage.inputTokens + usage.cachedInputTokens, prompt);
        assert.equal(usage.outputTokens + usage.reasoningTokens, completion);
        assert.equal(usage.cachedInputTokens, hits ?? 0);
      }),
    );
  });
});

describe('readBodyUsage', () => {
  const usage = {
    inputTokens: 232,
    cachedInputTokens: 768,
    cacheWriteTokens: 0,
    outputTokens: 12,
    reasoningTokens: 214,
  };

  test('reads a body, and one that empty lines kept alive', () => {
    const body = fixture('chat.json');
    assert.deepEqual(readBodyUsage(CHAT, body), { usage });
    assert.deepEqual(readBodyUsage(CHAT, Buffer.concat([Buffer.from('\n\n\r\n\n'), body])), { usage });
  });

  test('a body that is none is unreadable', () => {
    for (const body of ['\n\n', '<html>']) {
      assert.deepEqual(readBodyUsage(CHAT, Buffer.from(body)), { problem: 'unreadable' });
    }
  });
});
