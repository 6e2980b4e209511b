import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { mapUsage as mapCompatible } from '../openai-compatible/map-usage.ts';
import { mapUsage, readBodyUsage } from './map-usage.ts';

const CHAT = 'chat.completions';
const base = { prompt_tokens: 10, completion_tokens: 5 };

function fixture(name: string): Buffer {
  return readFileSync(new URL(`__fixtures__/${name}`, import.meta.url));
}

describe('mapUsage', () => {
  test('text alone is read as at every compatible server', () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 10, audio_tokens: 0, text_tokens: 100 },
      completion_tokens_details: { reasoning_tokens: 20, audio_tokens: 0, text_tokens: 30 },
    };
    assert.deepEqual(mapUsage(CHAT, usage, {}), mapCompatible(CHAT, usage));
    assert.deepEqual(
      mapUsage('embeddings', { prompt_tokens: 8 }, {}),
      mapCompatible('embeddings', { prompt_tokens: 8 }),
    );
  });

  test('what was predicted and not used is in the completion already', () => {
    const completion_tokens_details = { accepted_prediction_tokens: 1, rejected_prediction_tokens: 4 };
    const reading = mapUsage(CHAT, { ...base, completion_tokens_details }, {});
    assert.ok('usage' in reading);
    assert.equal(reading.usage.outputTokens, 5);
  });

  test('sound is in classes of its own, whether it was heard or spoken', () => {
    const heard = mapUsage(CHAT, { ...base, prompt_tokens_details: { audio_tokens: 4 } }, {});
    assert.ok('usage' in heard);
    assert.deepEqual([heard.usage.inputTokens, heard.usage.audioInputTokens], [6, 4]);
    const spoken = mapUsage(CHAT, { ...base, completion_tokens_details: { audio_tokens: 5 } }, {});
    assert.ok('usage' in spoken);
    assert.deepEqual([spoken.usage.outputTokens, spoken.usage.audioOutputTokens], [0, 5]);
  });

  test('a way of serving that multiplies prices has none here', () => {
    const unpricedAt = (service_tier: unknown) => {
      const reading = mapUsage(CHAT, base, { service_tier });
      assert.ok('usage' in reading);
      return reading.unpriced;
    };
    for (const tier of [undefined, null, 'auto', 'default', 'flex', 'scale'])
      assert.equal(unpricedAt(tier), undefined);
    for (const tier of ['priority', 'fast', 'new', 7]) assert.deepEqual(unpricedAt(tier), ['priority_tier']);
  });

  const problems: readonly [string, object, string][] = [
    ['a negative part', { prompt_tokens_details: { audio_tokens: -1 } }, 'negative'],
    ['a part as text', { completion_tokens_details: { audio_tokens: '1' } }, 'not_a_number'],
    ['a fraction', { completion_tokens_details: { accepted_prediction_tokens: 0.5 } }, 'malformed'],
    ['more heard than there was input', { prompt_tokens_details: { audio_tokens: 11 } }, 'malformed'],
    ['more spoken than there was output', { completion_tokens_details: { audio_tokens: 6 } }, 'malformed'],
    [
      'more predicted than there was output',
      { completion_tokens_details: { accepted_prediction_tokens: 3, rejected_prediction_tokens: 3 } },
      'malformed',
    ],
    ['an unexplained total', { total_tokens: 16 }, 'malformed'],
    ['no output', { completion_tokens: null }, 'missing'],
  ];
  for (const [what, fields, problem] of problems) {
    test(`${what} is ${problem}, never repaired`, () => {
      assert.deepEqual(mapUsage(CHAT, { ...base, ...fields }, {}), { problem });
    });
  }

  test('whatever comes is judged, and never believed where a compatible server would not be', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (usage, service_tier) => {
        const reading = mapUsage(CHAT, usage, { service_tier });
        if ('usage' in reading) assert.deepEqual({ usage: reading.usage }, mapCompatible(CHAT, usage));
      }),
    );
  });
});

describe('readBodyUsage', () => {
  test('reads the usage, and beside it how the call was served', () => {
    assert.deepEqual(readBodyUsage(CHAT, fixture('chat.json')), {
      usage: {
        inputTokens: 82,
        cachedInputTokens: 1024,
        cacheWriteTokens: 0,
        outputTokens: 12,
        reasoningTokens: 64,
      },
    });
    assert.deepEqual(readBodyUsage(CHAT, fixture('chat-audio-priority.json')), {
      usage: {
        inputTokens: 20,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        outputTokens: 10,
        reasoningTokens: 0,
        audioInputTokens: 100,
        audioOutputTokens: 30,
      },
      unpriced: ['priority_tier'],
    });
  });

  test('a body without usage, or that is none, has a problem', () => {
    assert.deepEqual(readBodyUsage(CHAT, Buffer.from('{}')), { problem: 'missing' });
    assert.deepEqual(readBodyUsage(CHAT, Buffer.from('<html>')), { problem: 'unreadable' });
    assert.deepEqual(readBodyUsage(CHAT, Buffer.from('{"usage":{},"usage":{}}')), { problem: 'malformed' });
  });
});
