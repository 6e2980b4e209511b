import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { mapUsage, readBodyUsage, tookSearches } from './map-usage.ts';

const GENERATE = 'generateContent';
const NOTHING = {
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
};

function fixture(name: string): Buffer {
  return readFileSync(new URL(`__fixtures__/${name}`, import.meta.url));
}

const counted = (modality: string, tokenCount: number) => ({ modality, tokenCount });

describe('mapUsage', () => {
  test('classes are disjoint: cached input is not input, and what tools read is input beside the prompt', () => {
    const usage = {
      promptTokenCount: 100,
      cachedContentTokenCount: 60,
      toolUsePromptTokenCount: 30,
      candidatesTokenCount: 50,
      thoughtsTokenCount: 20,
      totalTokenCount: 200,
    };
    assert.deepEqual(mapUsage(usage), {
      usage: {
        inputTokens: 70,
        cachedInputTokens: 60,
        cacheWriteTokens: 0,
        outputTokens: 50,
        reasoningTokens: 20,
      },
    });
  });

  test('audio and images are apart from text, whatever of them was cached; video and documents are text', () => {
    const usage = {
      promptTokenCount: 1_000,
      cachedContentTokenCount: 300,
      toolUsePromptTokenCount: 50,
      candidatesTokenCount: 90,
      totalTokenCount: 1_140,
      promptTokensDetails: [
        counted('TEXT', 100),
        counted('AUDIO', 400),
        counted('IMAGE', 258),
        counted('VIDEO', 142),
        counted('DOCUMENT', 100),
      ],
      cacheTokensDetails: [counted('AUDIO', 200), counted('IMAGE', 58), counted('TEXT', 42)],
      toolUsePromptTokensDetails: [counted('TEXT', 30), counted('IMAGE', 20)],
      candidatesTokensDetails: [counted('AUDIO', 60), { modality: 'IMAGE' }],
    };
    assert.deepEqual(mapUsage(usage), {
      usage: {
        // 1000 − 300 + 50, less 200 of audio and 220 of images
        inputTokens: 330,
        cachedInputTokens: 100,
        cacheWriteTokens: 0,
        outputTokens: 30,
        reasoningTokens: 0,
        audioInputTokens: 200,
        cachedAudioInputTokens: 200,
        imageInputTokens: 220,
        audioOutputTokens: 60,
      },
    });
  });

  test('a count that is left out is zero where the total says so', () => {
    const zeros = { candidatesTokenCount: null, thoughtsTokenCount: null, cachedContentTokenCount: null };
    for (const rest of [{}, zeros, { candidatesTokenCount: 0 }]) {
      assert.deepEqual(mapUsage({ promptTokenCount: 8, totalTokenCount: 8, ...rest }), {
        usage: { ...NOTHING, inputTokens: 8 },
      });
    }
    assert.deepEqual(mapUsage({ promptTokenCount: 0, totalTokenCount: 0 }), { usage: NOTHING });
  });

  test('without the total, a count that is left out is unknown', () => {
    for (const usage of [
      { promptTokenCount: 8 },
      { promptTokenCount: 8, candidatesTokenCount: 5 },
      { totalTokenCount: 8 },
    ]) {
      assert.deepEqual(mapUsage(usage), { problem: 'missing' });
    }
  });

  const base = { promptTokenCount: 10, candidatesTokenCount: 5, totalTokenCount: 15 };
  const problems: readonly [string, unknown, string][] = [
    ['no usage', undefined, 'missing'],
    ['null', null, 'missing'],
    ['an empty object', {}, 'missing'],
    ['a prompt of null', { ...base, promptTokenCount: null }, 'missing'],
    ['a negative count', { ...base, candidatesTokenCount: -5 }, 'negative'],
    ['a negative cache', { ...base, cachedContentTokenCount: -5 }, 'negative'],
    ['negatives that add up', { ...base, toolUsePromptTokenCount: -5, candidatesTokenCount: 10 }, 'negative'],
    ['an infinite count', JSON.parse('{"promptTokenCount":1e999,"totalTokenCount":1e999}'), 'not_finite'],
    ['a count as text', { ...base, promptTokenCount: '10' }, 'not_a_number'],
    ['a count as a list', { ...base, thoughtsTokenCount: [1] }, 'not_a_number'],
    ['a count as a boolean', { ...base, candidatesTokenCount: true }, 'not_a_number'],
    ['a total as text', { ...base, totalTokenCount: '15' }, 'not_a_number'],
    ['a fraction', { ...base, candidatesTokenCount: 5.5, totalTokenCount: 15.5 }, 'malformed'],
    ['a count beyond exact numbers', { ...base, promptTokenCount: 2 ** 53 }, 'malformed'],
    ['a total that nothing explains', { ...base, totalTokenCount: 16 }, 'malformed'],
    ['a total without the thoughts', { ...base, thoughtsTokenCount: 3 }, 'malformed'],
    ['a total without what tools read', { ...base, toolUsePromptTokenCount: 3 }, 'malformed'],
    ['a total below its parts', { ...base, totalTokenCount: 14 }, 'malformed'],
    ['more cached than there is prompt', { ...base, cachedContentTokenCount: 11 }, 'malformed'],
    [
      'more heard than there is prompt',
      { ...base, promptTokensDetails: [counted('AUDIO', 11)] },
      'malformed',
    ],
    [
      'more heard in the cache than in the prompt',
      { ...base, cachedContentTokenCount: 5, cacheTokensDetails: [counted('AUDIO', 5)] },
      'malformed',
    ],
    ['details as text', { ...base, candidatesTokensDetails: 'AUDIO' }, 'malformed'],
    ['a negative detail', { ...base, candidatesTokensDetails: [counted('AUDIO', -1)] }, 'negative'],
    ['usage as a list', [base], 'malformed'],
    ['usage as text', 'many', 'not_a_number'],
  ];
  for (const [what, usage, problem] of problems) {
    test(`${what} is ${problem}, never repaired`, () => {
      assert.deepEqual(mapUsage(usage), { problem });
    });
  }

  test('a tier that costs more than the standard is not covered by the tokens', () => {
    for (const serviceTier of ['priority', 'SERVICE_TIER_PRIORITY', 'turbo', 7, {}]) {
      const reading = mapUsage({ ...base, serviceTier });
      assert.ok('usage' in reading);
      assert.deepEqual(reading.unpriced, ['priority_tier']);
    }
    for (const serviceTier of [undefined, null, 'standard', 'STANDARD', 'flex', 'SERVICE_TIER_UNSPECIFIED']) {
      const reading = mapUsage({ ...base, serviceTier });
      assert.ok('usage' in reading);
      assert.equal(reading.unpriced, undefined);
    }
  });

  test('whatever is believed adds up to what the vendor counted', () => {
    const count = fc.oneof(
      fc.nat(30),
      fc.constantFrom(-1, 0.5, Number.NaN, Infinity, '1', null, undefined, Number.MAX_SAFE_INTEGER),
    );
    const lucky = fc.boolean();
    fc.assert(
      fc.property(fc.tuple(count, count, count, count, count, count), lucky, (counts, isSum) => {
        const [prompt, cached, toolUse, candidates, thoughts, any] = counts;
        const parts = [prompt, toolUse, candidates, thoughts];
        const sum = parts.reduce<number>((total, part) => total + Number(part ?? 0), 0);
        const total = isSum ? sum : any;
        const reading = mapUsage({
          promptTokenCount: prompt,
          cachedContentTokenCount: cached,
          toolUsePromptTokenCount: toolUse,
          candidatesTokenCount: candidates,
          thoughtsTokenCount: thoughts,
          totalTokenCount: total,
        });
        if ('problem' in reading) return;
        let believed = 0;
        for (const tokens of Object.values(reading.usage)) {
          assert.ok(Number.isSafeInteger(tokens) && tokens >= 0);
          believed += tokens;
        }
        assert.equal(believed, total);
      }),
      { numRuns: 1000 },
    );
  });
});

describe('tookSearches', () => {
  test('searches of the web, of pictures and of maps are charged', () => {
    for (const grounding of [
      { webSearchQueries: ['x'] },
      { imageSearchQueries: ['x'] },
      { groundingChunks: [{ web: {} }, { maps: {} }] },
    ]) {
      assert.ok(tookSearches(grounding));
    }
  });

  test('grounding without a search is not', () => {
    for (const grounding of [
      undefined,
      null,
      'x',
      {},
      { webSearchQueries: [] },
      { groundingChunks: [{ web: { uri: 'https://read.example/' } }, null] },
    ]) {
      assert.ok(!tookSearches(grounding));
    }
  });
});

describe('readBodyUsage', () => {
  const bodies: readonly [string, Partial<typeof NOTHING>][] = [
    ['generate.json', { inputTokens: 82, outputTokens: 12 }],
    [
      'generate-cached.json',
      { inputTokens: 82, cachedInputTokens: 1024, outputTokens: 12, reasoningTokens: 64 },
    ],
    ['generate-thinking.json', { inputTokens: 21, reasoningTokens: 479 }],
    ['generate-tools.json', { inputTokens: 70, outputTokens: 25, reasoningTokens: 5 }],
    ['generate-blocked.json', { inputTokens: 13 }],
  ];
  for (const [name, usage] of bodies) {
    test(`reads ${name}`, () => {
      assert.deepEqual(readBodyUsage(GENERATE, fixture(name)), { usage: { ...NOTHING, ...usage } });
    });
  }

  test('an answer that took searches is not covered by its tokens', () => {
    const searched = { ...NOTHING, inputTokens: 480, outputTokens: 89, reasoningTokens: 120 };
    const body = fixture('generate-search.json');
    assert.deepEqual(readBodyUsage(GENERATE, body), { usage: searched, unpriced: ['web_search'] });
    const priority = body.toString().replace('"usageMetadata": {', '$&"serviceTier":"priority",');
    assert.deepEqual(readBodyUsage(GENERATE, Buffer.from(priority)), {
      usage: searched,
      unpriced: ['web_search', 'priority_tier'],
    });
    const spoiled = body.toString().replace('"totalTokenCount": 689', '"totalTokenCount": 690');
    assert.deepEqual(readBodyUsage(GENERATE, Buffer.from(spoiled)), { problem: 'malformed' });
  });

  test('counting tokens uses none', () => {
    for (const body of [fixture('count-tokens.json'), Buffer.from('{}'), fixture('generate.json')]) {
      assert.deepEqual(readBodyUsage('countTokens', body), { usage: NOTHING });
    }
    assert.deepEqual(readBodyUsage('countTokens', Buffer.from('[]')), { problem: 'unreadable' });
  });

  test('embeddings have input alone, and need no total', () => {
    const read = (usageMetadata: unknown) =>
      readBodyUsage('embedContent', Buffer.from(JSON.stringify({ embedding: {}, usageMetadata })));
    assert.deepEqual(readBodyUsage('embedContent', fixture('embed.json')), {
      usage: { ...NOTHING, inputTokens: 5 },
    });
    assert.deepEqual(read({ promptTokenCount: 5, totalTokenCount: 5 }), {
      usage: { ...NOTHING, inputTokens: 5 },
    });
    assert.deepEqual(read({ promptTokenCount: 9, promptTokenDetails: [counted('AUDIO', 4)] }), {
      usage: { ...NOTHING, inputTokens: 5, audioInputTokens: 4 },
    });
    assert.deepEqual(read({ promptTokenCount: 9, promptTokenDetails: [counted('VIDEO', 4)] }), {
      usage: { ...NOTHING, inputTokens: 9 },
      unpriced: ['video'],
    });
    assert.deepEqual(read(undefined), { problem: 'missing' });
    assert.deepEqual(read({}), { problem: 'missing' });
    assert.deepEqual(read({ promptTokenCount: 5, totalTokenCount: 6 }), { problem: 'malformed' });
    assert.deepEqual(read({ promptTokenCount: -5 }), { problem: 'negative' });
  });

  test('usage counts only at the top level', () => {
    const nested = '{"candidates":[{"usageMetadata":{"promptTokenCount":1,"totalTokenCount":1}}]}';
    assert.deepEqual(readBodyUsage(GENERATE, Buffer.from(nested)), { problem: 'missing' });
    assert.deepEqual(readBodyUsage(GENERATE, Buffer.from('{"usageMetadata":null}')), { problem: 'missing' });
  });

  test('a body that is no JSON object is unreadable', () => {
    const whole = fixture('generate.json');
    for (const body of [
      whole.subarray(0, whole.length - 5),
      '<html>',
      '',
      '[]',
      '{}{}',
      Buffer.from([0x7b, 0xff, 0x7d]),
    ]) {
      for (const endpoint of [GENERATE, 'countTokens', 'embedContent'] as const) {
        assert.deepEqual(readBodyUsage(endpoint, Buffer.from(body)), { problem: 'unreadable' });
      }
    }
  });

  test('a body that two parsers may read differently has malformed usage', () => {
    const usage = '"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}';
    for (const body of [`{${usage},${usage}}`, `{${usage},"__proto__":{}}`, `{${usage},"a":"\\ud83d"}`]) {
      assert.deepEqual(readBodyUsage(GENERATE, Buffer.from(body)), { problem: 'malformed' });
    }
  });
});
