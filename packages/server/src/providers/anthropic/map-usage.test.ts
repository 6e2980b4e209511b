import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { mapUsage, mergeUsage, readBodyUsage } from './map-usage.ts';

const NONE = {
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  longCacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
};
const base = { input_tokens: 10, output_tokens: 5 };

function fixture(name: string): Buffer {
  return readFileSync(new URL(`__fixtures__/${name}`, import.meta.url));
}

describe('mapUsage', () => {
  test('classes are disjoint: long cache writes are not short ones, thinking is not output', () => {
    const usage = {
      input_tokens: 30,
      cache_creation_input_tokens: 25,
      cache_read_input_tokens: 60,
      cache_creation: { ephemeral_5m_input_tokens: 15, ephemeral_1h_input_tokens: 10 },
      output_tokens: 50,
      output_tokens_details: { thinking_tokens: 20 },
    };
    assert.deepEqual(mapUsage(usage), {
      usage: {
        inputTokens: 30,
        cachedInputTokens: 60,
        cacheWriteTokens: 15,
        longCacheWriteTokens: 10,
        outputTokens: 30,
        reasoningTokens: 20,
      },
    });
  });

  test('what does not apply may be absent or null, and an explicit zero is zero', () => {
    assert.deepEqual(mapUsage({ input_tokens: 0, output_tokens: 0 }), { usage: NONE });
    const nulls = {
      cache_creation_input_tokens: null,
      cache_read_input_tokens: null,
      cache_creation: null,
      output_tokens_details: null,
      server_tool_use: null,
      service_tier: null,
      inference_geo: null,
      speed: null,
    };
    assert.deepEqual(mapUsage({ input_tokens: 0, output_tokens: 0, ...nulls }), { usage: NONE });
  });

  test('cache writes whose lifetime is not told are short ones', () => {
    const reading = mapUsage({ ...base, cache_creation_input_tokens: 7 });
    assert.ok('usage' in reading);
    assert.deepEqual([reading.usage.cacheWriteTokens, reading.usage.longCacheWriteTokens], [7, 0]);
  });

  const problems: readonly [string, unknown, string][] = [
    ['no usage', undefined, 'missing'],
    ['null', null, 'missing'],
    ['an empty object', {}, 'missing'],
    ['no input', { output_tokens: 5 }, 'missing'],
    ['no output', { input_tokens: 10 }, 'missing'],
    ['a null count', { ...base, output_tokens: null }, 'missing'],
    ['a negative count', { ...base, output_tokens: -1 }, 'negative'],
    ['a negative cache', { ...base, cache_read_input_tokens: -5 }, 'negative'],
    ['a negative lifetime', { ...base, cache_creation: { ephemeral_1h_input_tokens: -5 } }, 'negative'],
    ['a negative search', { ...base, server_tool_use: { web_search_requests: -1 } }, 'negative'],
    ['an infinite count', JSON.parse('{"input_tokens":1e999,"output_tokens":5}'), 'not_finite'],
    ['a count as text', { ...base, input_tokens: '10' }, 'not_a_number'],
    ['a count as a list', { ...base, input_tokens: [10] }, 'not_a_number'],
    ['a count as a boolean', { ...base, cache_creation_input_tokens: true }, 'not_a_number'],
    ['a fraction', { ...base, output_tokens: 0.5 }, 'malformed'],
    ['a count beyond exact numbers', { ...base, input_tokens: 2 ** 53 }, 'malformed'],
    ['more thinking than output', { ...base, output_tokens_details: { thinking_tokens: 6 } }, 'malformed'],
    [
      'more long writes than writes',
      { ...base, cache_creation_input_tokens: 5, cache_creation: { ephemeral_1h_input_tokens: 6 } },
      'malformed',
    ],
    [
      'writes that their lifetimes do not explain',
      {
        ...base,
        cache_creation_input_tokens: 9,
        cache_creation: { ephemeral_5m_input_tokens: 4, ephemeral_1h_input_tokens: 4 },
      },
      'malformed',
    ],
    [
      'writes by lifetime without a total',
      { ...base, cache_creation: { ephemeral_5m_input_tokens: 4 } },
      'malformed',
    ],
    [
      'a turn whose tokens the totals leave out',
      { ...base, iterations: [{ type: 'compaction', input_tokens: 9, output_tokens: 1 }] },
      'malformed',
    ],
    ['usage as a list', [base], 'malformed'],
    ['usage as text', 'many', 'not_a_number'],
    ['usage as a number', 15, 'not_a_number'],
    ['lifetimes as text', { ...base, cache_creation: 'x' }, 'malformed'],
    ['details as a list', { ...base, output_tokens_details: [1] }, 'malformed'],
    ['server tools as a number', { ...base, server_tool_use: 1 }, 'malformed'],
  ];
  for (const [what, usage, problem] of problems) {
    test(`${what} is ${problem}, never repaired`, () => {
      assert.deepEqual(mapUsage(usage), { problem });
    });
  }

  test('what is charged beside tokens at the price is named', () => {
    const unpricedOf = (others: object) => {
      const reading = mapUsage({ ...base, ...others });
      return 'usage' in reading ? reading.unpriced : reading;
    };
    assert.deepEqual(unpricedOf({ server_tool_use: { web_search_requests: 2 } }), ['web_search']);
    assert.deepEqual(unpricedOf({ speed: 'fast' }), ['fast_mode']);
    assert.deepEqual(unpricedOf({ service_tier: 'priority' }), ['priority_tier']);
    assert.deepEqual(unpricedOf({ inference_geo: 'us' }), ['inference_region']);
    assert.deepEqual(unpricedOf({ speed: 7, inference_geo: 'new' }), ['fast_mode', 'inference_region']);
    const plain = {
      server_tool_use: { web_search_requests: 0, web_fetch_requests: 3 },
      speed: 'standard',
      service_tier: 'standard',
      inference_geo: 'global',
      iterations: [{ type: 'message' }],
    };
    assert.equal(unpricedOf(plain), undefined);
    assert.equal(unpricedOf({ inference_geo: 'not_available' }), undefined);
  });

  test('whatever is believed adds up to what the vendor counted', () => {
    const count = fc.oneof(
      fc.nat(20),
      fc.nat(),
      fc.constantFrom(-1, 0.5, Number.NaN, Infinity, '1', null, undefined),
    );
    fc.assert(
      fc.property(
        fc.record({ input: count, output: count, read: count, written: count, short: count, long: count }),
        count,
        ({ input, output, read, written, short, long }, thinking) => {
          const reading = mapUsage({
            input_tokens: input,
            output_tokens: output,
            cache_read_input_tokens: read,
            cache_creation_input_tokens: written,
            cache_creation: { ephemeral_5m_input_tokens: short, ephemeral_1h_input_tokens: long },
            output_tokens_details: { thinking_tokens: thinking },
          });
          if ('problem' in reading) return;
          const { usage } = reading;
          for (const tokens of Object.values(usage)) assert.ok(Number.isSafeInteger(tokens) && tokens >= 0);
          assert.equal(usage.inputTokens, input);
          assert.equal(usage.cachedInputTokens, read ?? 0);
          assert.equal(usage.cacheWriteTokens + (usage.longCacheWriteTokens ?? 0), written ?? 0);
          assert.equal(usage.outputTokens + usage.reasoningTokens, output);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

describe('mergeUsage', () => {
  const start = {
    input_tokens: 4,
    cache_creation_input_tokens: 100,
    cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 100 },
  };

  test('a later total replaces the earlier, and what it leaves out or has as null stands', () => {
    const merged = mergeUsage(start, {
      output_tokens: 7,
      input_tokens: 9,
      cache_creation_input_tokens: null,
    });
    assert.deepEqual(merged, { ...start, input_tokens: 9, output_tokens: 7 });
  });

  test('what is written after the start of a stream is short-lived', () => {
    const reading = mapUsage(mergeUsage(start, { output_tokens: 7, cache_creation_input_tokens: 150 }));
    assert.ok('usage' in reading);
    assert.deepEqual([reading.usage.cacheWriteTokens, reading.usage.longCacheWriteTokens], [50, 100]);
  });

  test('a total below what was long-lived already is a contradiction', () => {
    const merged = mergeUsage(start, { output_tokens: 7, cache_creation_input_tokens: 99 });
    assert.deepEqual(mapUsage(merged), { problem: 'malformed' });
  });

  test('lifetimes that are told again count as they are', () => {
    const later = { cache_creation_input_tokens: 150, cache_creation: { ephemeral_1h_input_tokens: 150 } };
    assert.deepEqual(mergeUsage(start, later), { ...start, ...later });
  });

  test('fields that nobody reads are not kept', () => {
    assert.deepEqual(mergeUsage({ x_big: 'x' }, { x_new: 'x', output_tokens: 1 }), { output_tokens: 1 });
  });
});

describe('readBodyUsage', () => {
  test('reads the usage of a whole message', () => {
    assert.deepEqual(readBodyUsage('messages', fixture('messages.json')), {
      usage: { ...NONE, inputTokens: 25, outputTokens: 36, reasoningTokens: 312 },
    });
    assert.deepEqual(readBodyUsage('messages', fixture('messages-cached.json')), {
      usage: {
        inputTokens: 2048,
        cachedInputTokens: 1800,
        cacheWriteTokens: 148,
        longCacheWriteTokens: 100,
        outputTokens: 503,
        reasoningTokens: 0,
      },
    });
  });

  test('counting tokens uses none', () => {
    const { longCacheWriteTokens: _none, ...nothing } = NONE;
    const counted = readBodyUsage('messages.count_tokens', fixture('count-tokens.json'));
    assert.deepEqual(counted, { usage: nothing });
    assert.deepEqual(readBodyUsage('messages.count_tokens', Buffer.from('<html>')), {
      problem: 'unreadable',
    });
  });

  test('usage counts only at the top level', () => {
    const nested = '{"content":[{"usage":{"input_tokens":1,"output_tokens":1}}]}';
    assert.deepEqual(readBodyUsage('messages', Buffer.from(nested)), { problem: 'missing' });
  });

  test('a body that is cut off or ambiguous is not read', () => {
    const whole = fixture('messages.json');
    assert.deepEqual(readBodyUsage('messages', whole.subarray(0, whole.length - 5)), {
      problem: 'unreadable',
    });
    const twice =
      '{"usage":{"input_tokens":9,"output_tokens":9},"usage":{"input_tokens":0,"output_tokens":0}}';
    assert.deepEqual(readBodyUsage('messages', Buffer.from(twice)), { problem: 'malformed' });
  });
});
