import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { mapUsage, readBodyUsage } from './map-usage.ts';

const CHAT = 'chat.completions';

function fixture(name: string): Buffer {
  return readFileSync(new URL(`__fixtures__/${name}`, import.meta.url));
}

describe('mapUsage', () => {
  test('classes are disjoint: cached and written input is not input, reasoning is not output', () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { cached_tokens: 60, cache_write_tokens: 10, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 20, audio_tokens: 0 },
    };
    assert.deepEqual(mapUsage(CHAT, usage), {
      usage: {
        inputTokens: 30,
        cachedInputTokens: 60,
        cacheWriteTokens: 10,
        outputTokens: 30,
        reasoningTokens: 20,
      },
    });
  });

  test('media are apart from text, and of what was cached as few as can be are media', () => {
    const read = (prompt_tokens_details: object) => {
      const usage = { prompt_tokens: 100, completion_tokens: 50, prompt_tokens_details };
      const reading = mapUsage(CHAT, {
        ...usage,
        completion_tokens_details: { audio_tokens: 30, image_tokens: 5 },
      });
      assert.ok('usage' in reading);
      const { inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens, reasoningTokens, ...media } =
        reading.usage;
      assert.deepEqual([outputTokens, reasoningTokens], [15, 0]);
      return { text: [inputTokens, cachedInputTokens, cacheWriteTokens], media };
    };
    const output = { audioOutputTokens: 30, imageOutputTokens: 5 };
    // 40 of text, 40 heard, 20 seen.
    const heardAndSeen = { audio_tokens: 40, image_tokens: 20 };
    const none = { audioInputTokens: 40, imageInputTokens: 20, ...output };
    assert.deepEqual(read(heardAndSeen), { text: [40, 0, 0], media: none });
    assert.deepEqual(read({ ...heardAndSeen, cached_tokens: 40 }), { text: [0, 40, 0], media: none });
    assert.deepEqual(read({ ...heardAndSeen, cached_tokens: 50, cache_write_tokens: 5 }), {
      text: [0, 50, 5],
      media: { audioInputTokens: 40, imageInputTokens: 5, ...output },
    });
    assert.deepEqual(read({ ...heardAndSeen, cached_tokens: 90 }), {
      text: [0, 60, 0],
      media: { audioInputTokens: 10, cachedAudioInputTokens: 30, ...output },
    });
  });

  test('details may be absent or null, and an explicit zero is zero', () => {
    const zero = {
      inputTokens: 0,
      cachedInputTokens: 0,
      cacheWriteTokens: 0,
      outputTokens: 0,
      reasoningTokens: 0,
    };
    assert.deepEqual(mapUsage(CHAT, { prompt_tokens: 0, completion_tokens: 0 }), { usage: zero });
    const details = { prompt_tokens_details: null, completion_tokens_details: { reasoning_tokens: null } };
    assert.deepEqual(mapUsage(CHAT, { prompt_tokens: 0, completion_tokens: 0, ...details }), { usage: zero });
  });

  test('only embeddings may leave out the completion', () => {
    assert.deepEqual(mapUsage('embeddings', { prompt_tokens: 8, total_tokens: 8 }), {
      usage: {
        inputTokens: 8,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        outputTokens: 0,
        reasoningTokens: 0,
      },
    });
    assert.deepEqual(mapUsage(CHAT, { prompt_tokens: 8, total_tokens: 8 }), { problem: 'missing' });
    assert.deepEqual(mapUsage('completions', { prompt_tokens: 8 }), { problem: 'missing' });
    assert.deepEqual(mapUsage('embeddings', { total_tokens: 8 }), { problem: 'missing' });
  });

  test('reasoning that is counted beside the completion is recognised by the total', () => {
    const usage = {
      prompt_tokens: 10,
      completion_tokens: 5,
      total_tokens: 115,
      completion_tokens_details: { reasoning_tokens: 100 },
    };
    assert.deepEqual(mapUsage(CHAT, usage), {
      usage: {
        inputTokens: 10,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        outputTokens: 5,
        reasoningTokens: 100,
      },
    });
  });

  test('a total above what the counts explain is a problem, since those tokens would be given away', () => {
    assert.deepEqual(mapUsage(CHAT, { prompt_tokens: 10, completion_tokens: 5, total_tokens: 16 }), {
      problem: 'malformed',
    });
  });

  const base = { prompt_tokens: 10, completion_tokens: 5 };
  const problems: readonly [string, unknown, string][] = [
    ['no usage', undefined, 'missing'],
    ['null', null, 'missing'],
    ['an empty object', {}, 'missing'],
    ['a null count', { ...base, prompt_tokens: null }, 'missing'],
    ['a negative count', { ...base, completion_tokens: -1 }, 'negative'],
    [
      'more heard than there was input',
      { ...base, prompt_tokens_details: { audio_tokens: 11 } },
      'malformed',
    ],
    [
      'more written than text',
      { ...base, prompt_tokens_details: { cache_write_tokens: 7, audio_tokens: 4 } },
      'malformed',
    ],
    ['more spoken than came out', { ...base, completion_tokens_details: { audio_tokens: 6 } }, 'malformed'],
    ['a negative detail', { ...base, prompt_tokens_details: { cached_tokens: -5 } }, 'negative'],
    ['an infinite count', JSON.parse('{"prompt_tokens":1e999,"completion_tokens":5}'), 'not_finite'],
    ['a count as text', { ...base, prompt_tokens: '10' }, 'not_a_number'],
    ['a count as a list', { ...base, prompt_tokens: [10] }, 'not_a_number'],
    ['a count as a boolean', { ...base, completion_tokens: true }, 'not_a_number'],
    ['a total as text', { ...base, total_tokens: '15' }, 'not_a_number'],
    ['a fraction', { ...base, completion_tokens: 0.5 }, 'malformed'],
    ['a count beyond exact numbers', { ...base, prompt_tokens: 2 ** 53 }, 'malformed'],
    [
      'more cached than there is input',
      { ...base, prompt_tokens_details: { cached_tokens: 11 } },
      'malformed',
    ],
    [
      'more reasoning than output',
      { ...base, completion_tokens_details: { reasoning_tokens: 6 } },
      'malformed',
    ],
    ['usage as a list', [base], 'malformed'],
    ['usage as text', 'many', 'not_a_number'],
    ['usage as a number', 15, 'not_a_number'],
    ['details as text', { ...base, prompt_tokens_details: 'x' }, 'malformed'],
  ];
  for (const [what, usage, problem] of problems) {
    test(`${what} is ${problem}, never repaired`, () => {
      assert.deepEqual(mapUsage(CHAT, usage), { problem });
    });
  }

  test('whatever is believed adds up to what the vendor counted', () => {
    const count = fc.oneof(fc.nat(), fc.constantFrom(-1, 0.5, Number.NaN, Infinity, '1', null, undefined));
    fc.assert(
      fc.property(count, count, count, count, (prompt, completion, cached, reasoning) => {
        const reading = mapUsage(CHAT, {
          prompt_tokens: prompt,
          completion_tokens: completion,
          prompt_tokens_details: { cached_tokens: cached },
          completion_tokens_details: { reasoning_tokens: reasoning },
        });
        if ('problem' in reading) return;
        const { usage } = reading;
        for (const tokens of Object.values(usage)) assert.ok(Number.isSafeInteger(tokens) && tokens >= 0);
        assert.equal(usage.inputTokens + usage.cachedInputTokens + usage.cacheWriteTokens, prompt);
        assert.equal(usage.outputTokens + usage.reasoningTokens, completion);
      }),
    );
  });
});

describe('readBodyUsage', () => {
  test('reads the usage of every endpoint', () => {
    assert.deepEqual(readBodyUsage(CHAT, fixture('chat.json')), {
      usage: {
        inputTokens: 82,
        cachedInputTokens: 1024,
        cacheWriteTokens: 0,
        outputTokens: 12,
        reasoningTokens: 64,
      },
    });
    assert.deepEqual(readBodyUsage('completions', fixture('completion.json')), {
      usage: {
        inputTokens: 5,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        outputTokens: 7,
        reasoningTokens: 0,
      },
    });
    assert.deepEqual(readBodyUsage('embeddings', fixture('embeddings.json')), {
      usage: {
        inputTokens: 8,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        outputTokens: 0,
        reasoningTokens: 0,
      },
    });
  });

  test('usage counts only at the top level', () => {
    const nested =
      '{"x_groq":{"usage":{"prompt_tokens":1,"completion_tokens":1}},"choices":[{"usage":{"prompt_tokens":1}}]}';
    assert.deepEqual(readBodyUsage(CHAT, Buffer.from(nested)), { problem: 'missing' });
  });

  test('a body that is no JSON object is unreadable', () => {
    const whole = fixture('chat.json');
    for (const body of [
      whole.subarray(0, whole.length - 5),
      '<html>',
      '',
      '[]',
      '{}{}',
      Buffer.from([0x7b, 0xff, 0x7d]),
    ]) {
      assert.deepEqual(readBodyUsage(CHAT, Buffer.from(body)), { problem: 'unreadable' });
    }
  });

  test('a body that two parsers may read differently has malformed usage', () => {
    const twice =
      '{"usage":{"prompt_tokens":9,"completion_tokens":9},"usage":{"prompt_tokens":0,"completion_tokens":0}}';
    for (const body of [
      twice,
      '{"__proto__":{}}',
      '{"a":"\\ud83d"}',
      `{"a":${'['.repeat(70)}${']'.repeat(70)}}`,
    ]) {
      assert.deepEqual(readBodyUsage(CHAT, Buffer.from(body)), { problem: 'malformed' });
    }
  });
});
