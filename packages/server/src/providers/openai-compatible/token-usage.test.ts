import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { sumInput, sumOutput } from '../sum-usage.ts';
import { mapTokenUsage } from './token-usage.ts';

const base = { input_tokens: 100, output_tokens: 50, total_tokens: 150 };

describe('mapTokenUsage', () => {
  test('classes are disjoint: cached and written input is not input, reasoning is not output', () => {
    const usage = {
      ...base,
      input_tokens_details: {
        cached_tokens: 60,
        cache_write_tokens: 30,
        cache_write_tokens_details: { ttl_30m_tokens: 10, ttl_12h_tokens: 20 },
      },
      output_tokens_details: { reasoning_tokens: 20 },
    };
    assert.deepEqual(mapTokenUsage('responses', usage), {
      usage: {
        inputTokens: 10,
        cachedInputTokens: 60,
        cacheWriteTokens: 10,
        longCacheWriteTokens: 20,
        outputTokens: 30,
        reasoningTokens: 20,
      },
    });
  });

  test('what an endpoint makes is of its medium, unless the details say otherwise', () => {
    const mapped = (endpoint: 'images.generations' | 'audio.speech', details: object = {}) => {
      const reading = mapTokenUsage(endpoint, { ...base, ...details });
      assert.ok('usage' in reading);
      const { inputTokens, imageInputTokens, outputTokens, imageOutputTokens, audioOutputTokens } =
        reading.usage;
      return [inputTokens, imageInputTokens, outputTokens, imageOutputTokens, audioOutputTokens];
    };
    const seen = { input_tokens_details: { text_tokens: 30, image_tokens: 70 } };
    const drawn = { output_tokens_details: { text_tokens: 20, image_tokens: 30 } };
    assert.deepEqual(mapped('images.generations', seen), [30, 70, 0, 50, undefined]);
    assert.deepEqual(mapped('images.generations', drawn), [100, undefined, 20, 30, undefined]);
    assert.deepEqual(mapped('audio.speech'), [100, undefined, 0, undefined, 50]);
  });

  test('what was transcribed was heard, unless the details say otherwise', () => {
    const heard = (details: object) => {
      const reading = mapTokenUsage('audio.transcriptions', { type: 'tokens', ...base, ...details });
      assert.ok('usage' in reading);
      return [reading.usage.inputTokens, reading.usage.audioInputTokens, reading.usage.outputTokens];
    };
    assert.deepEqual(heard({}), [0, 100, 50]);
    assert.deepEqual(heard({ input_token_details: { text_tokens: 30, audio_tokens: 70 } }), [30, 70, 50]);
    assert.deepEqual(heard({ input_token_details: { text_tokens: 100, audio_tokens: 0 } }), [
      100,
      undefined,
      50,
    ]);
  });

  const problems: readonly [string, unknown, string][] = [
    ['no usage', undefined, 'missing'],
    ['seconds in place of tokens', { type: 'duration', seconds: 7 }, 'missing'],
    ['usage as text', 'many', 'not_a_number'],
    ['a negative count', { ...base, output_tokens: -1 }, 'negative'],
    ['a count as text', { ...base, input_tokens: '1' }, 'not_a_number'],
    ['a fraction', { ...base, input_tokens_details: { cached_tokens: 0.5 } }, 'malformed'],
    ['details as a list', { ...base, output_tokens_details: [1] }, 'malformed'],
    [
      'more cached than there was input',
      { ...base, input_tokens_details: { cached_tokens: 101 } },
      'malformed',
    ],
    ['more thought than came out', { ...base, output_tokens_details: { reasoning_tokens: 51 } }, 'malformed'],
    [
      'more written for long than was written',
      { ...base, input_tokens_details: { cache_write_tokens_details: { ttl_12h_tokens: 1 } } },
      'malformed',
    ],
    ['an unexplained total', { ...base, total_tokens: 151 }, 'malformed'],
  ];
  for (const [what, usage, problem] of problems) {
    test(`${what} is ${problem}, never repaired`, () => {
      assert.deepEqual(mapTokenUsage('responses', usage), { problem });
    });
  }

  test('whatever is believed adds up to what was counted', () => {
    const count = fc.oneof(fc.nat(30), fc.constantFrom(-1, 0.5, '1', null, undefined));
    fc.assert(
      fc.property(
        fc.tuple(count, count, count, count, count),
        ([input, output, cached, written, thought]) => {
          const reading = mapTokenUsage('responses', {
            input_tokens: input,
            output_tokens: output,
            input_tokens_details: { cached_tokens: cached, cache_write_tokens: written },
            output_tokens_details: { reasoning_tokens: thought },
          });
          if ('problem' in reading) return;
          assert.equal(sumInput(reading.usage), input);
          assert.equal(sumOutput(reading.usage), output);
        },
      ),
    );
  });
});
