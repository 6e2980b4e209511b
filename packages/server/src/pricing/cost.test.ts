/** Tests of cost by hand-worked figures, and of the worst case as a bound over all usages. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CALL_COST_MAX, costOf, findUnpricedTokens, TOKENS_MAX, worstCaseCost } from './cost.ts';
import {
  type ModelPrice,
  type NanosPerMillion,
  nanosPerMillion,
  parseUsdPerMillion,
  type Rates,
  type Usage,
} from './model-price.ts';

const NO_USAGE: Usage = {
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  provenance: 'provider',
};

function usd(text: string): NanosPerMillion {
  const price = parseUsdPerMillion(text);
  assert(price !== undefined);
  return price;
}

function priced(rates: Rates & Pick<ModelPrice, 'above'>): ModelPrice {
  return {
    provider: 'p',
    model: 'm',
    upstreamModel: 'm',
    aliases: [],
    mode: 'chat',
    effectiveFromMs: 0,
    source: 'test',
    ...rates,
  };
}

describe('costOf', () => {
  it('charges each class at its own price', () => {
    const price = priced({
      inputPerMillion: usd('3'),
      outputPerMillion: usd('15'),
      cachedInputPerMillion: usd('0.3'),
      cacheWritePerMillion: usd('3.75'),
      longCacheWritePerMillion: usd('6'),
      reasoningPerMillion: usd('20'),
    });
    const usage: Usage = {
      inputTokens: 1_000, // × 3000 nanos = 3 000 000
      cachedInputTokens: 10_000, // × 300 = 3 000 000
      cacheWriteTokens: 2_000, // × 3750 = 7 500 000
      longCacheWriteTokens: 500, // × 6000 = 3 000 000
      outputTokens: 400, // × 15000 = 6 000 000
      reasoningTokens: 100, // × 20000 = 2 000 000
      provenance: 'provider',
    };
    assert.equal(costOf(price, usage), 24_500_000n);
  });

  it('charges a class without a price as its parent class', () => {
    const price = priced({ inputPerMillion: usd('2'), outputPerMillion: usd('8') });
    assert.equal(costOf(price, { ...NO_USAGE, cachedInputTokens: 10 }), 20_000n);
    assert.equal(costOf(price, { ...NO_USAGE, cacheWriteTokens: 10 }), 20_000n);
    assert.equal(costOf(price, { ...NO_USAGE, longCacheWriteTokens: 10 }), 20_000n);
    assert.equal(costOf(price, { ...NO_USAGE, reasoningTokens: 10 }), 80_000n);
    const cached = priced({
      inputPerMillion: usd('2'),
      outputPerMillion: usd('8'),
      cacheWritePerMillion: usd('2.5'),
    });
    assert.equal(costOf(cached, { ...NO_USAGE, longCacheWriteTokens: 10 }), 25_000n);
  });

  it('charges audio and images at their own prices, else as text, and cached audio never as cached text', () => {
    const bare = priced({
      inputPerMillion: usd('2'),
      cachedInputPerMillion: usd('0.2'),
      outputPerMillion: usd('8'),
    });
    const own = {
      ...bare,
      audioInputPerMillion: usd('30'),
      imageInputPerMillion: usd('5'),
      audioOutputPerMillion: usd('60'),
      imageOutputPerMillion: usd('40'),
    };
    const costs = (price: ModelPrice) =>
      (
        [
          'audioInputTokens',
          'cachedAudioInputTokens',
          'imageInputTokens',
          'audioOutputTokens',
          'imageOutputTokens',
        ] as const
      ).map((each) => costOf(price, { ...NO_USAGE, [each]: 10 }));
    assert.deepEqual(costs(bare), [20_000n, 20_000n, 20_000n, 80_000n, 80_000n]);
    assert.deepEqual(costs(own), [300_000n, 300_000n, 50_000n, 600_000n, 400_000n]);
    assert.deepEqual(costs({ ...own, cachedAudioInputPerMillion: usd('0.5') })[1], 5_000n);
  });

  it('charges an explicit price of zero as zero', () => {
    const price = priced({
      inputPerMillion: usd('2'),
      outputPerMillion: usd('8'),
      cachedInputPerMillion: usd('0'),
    });
    assert.equal(costOf(price, { ...NO_USAGE, cachedInputTokens: 1_000_000 }), 0n);
  });

  it('rounds up once, for the whole call', () => {
    // 0.0375 USD per million is 37.5 nanos a token.
    const price = priced({ inputPerMillion: usd('0.0375'), outputPerMillion: usd('0.0375') });
    assert.equal(costOf(price, { ...NO_USAGE, inputTokens: 1 }), 38n);
    assert.equal(costOf(price, { ...NO_USAGE, inputTokens: 2 }), 75n);
    assert.equal(costOf(price, { ...NO_USAGE, inputTokens: 1, outputTokens: 1 }), 75n);
    assert.equal(costOf(price, { ...NO_USAGE, inputTokens: 3 }), 113n);
    const finest = priced({ inputPerMillion: nanosPerMillion(1n), outputPerMillion: nanosPerMillion(0n) });
    assert.equal(costOf(finest, { ...NO_USAGE, inputTokens: 1 }), 1n);
    assert.equal(costOf(finest, { ...NO_USAGE, inputTokens: 1_000_001 }), 2n);
  });

  it('is zero for no usage', () => {
    assert.equal(costOf(priced({ inputPerMillion: usd('3'), outputPerMillion: usd('15') }), NO_USAGE), 0n);
  });

  it('charges the whole call at the long-context rates once all input together exceeds the threshold', () => {
    const price = priced({
      inputPerMillion: usd('1.25'),
      outputPerMillion: usd('10'),
      cachedInputPerMillion: usd('0.125'),
      above: {
        inputTokens: 200_000,
        inputPerMillion: usd('2.5'),
        outputPerMillion: usd('15'),
        cachedInputPerMillion: usd('0.25'),
      },
    });
    const atThreshold: Usage = {
      ...NO_USAGE,
      inputTokens: 100_000,
      cachedInputTokens: 100_000,
      outputTokens: 1_000,
    };
    // 100 000 × 1250 + 100 000 × 125 + 1000 × 10 000
    assert.equal(costOf(price, atThreshold), 147_500_000n);
    // 100 001 × 2500 + 100 000 × 250 + 1000 × 15 000
    assert.equal(costOf(price, { ...atThreshold, inputTokens: 100_001 }), 290_002_500n);
  });

  it('refuses token counts that are negative, fractional, not finite or absurd', () => {
    const price = priced({ inputPerMillion: usd('3'), outputPerMillion: usd('15') });
    for (const count of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, TOKENS_MAX + 1]) {
      assert.throws(() => costOf(price, { ...NO_USAGE, inputTokens: count }), RangeError, String(count));
      assert.throws(() => costOf(price, { ...NO_USAGE, reasoningTokens: count }), RangeError, String(count));
      assert.throws(
        () =>
          worstCaseCost(price, {
            inputTokensMax: 0,
            hasMediaInput: true,
            outputTokensMax: count,
            hasMediaOutput: true,
          }),
        RangeError,
        String(count),
      );
    }
  });

  it('refuses a cost of more than a million dollars', () => {
    const price = priced({ inputPerMillion: usd('1000000'), outputPerMillion: usd('0') });
    // One dollar a token.
    assert.equal(costOf(price, { ...NO_USAGE, inputTokens: 1_000_000 }), CALL_COST_MAX);
    assert.throws(() => costOf(price, { ...NO_USAGE, inputTokens: 1_000_001 }), RangeError);
  });
});

describe('findUnpricedTokens', () => {
  it('has writes to a cache that lives long, which cost more than others, in each tier', () => {
    const base = { inputPerMillion: usd('2'), outputPerMillion: usd('8'), cacheWritePerMillion: usd('2.5') };
    const long = { ...base, longCacheWritePerMillion: usd('5') };
    const written = (count: number): Usage => ({ ...NO_USAGE, longCacheWriteTokens: count });
    assert.deepEqual(findUnpricedTokens(priced(base), { ...NO_USAGE, cacheWriteTokens: 1 }), []);
    assert.deepEqual(findUnpricedTokens(priced(base), written(1)), ['long_cache_write']);
    assert.deepEqual(findUnpricedTokens(priced(long), written(1)), []);
    const tiered = priced({ ...long, above: { inputTokens: 100, ...base } });
    assert.deepEqual(findUnpricedTokens(tiered, written(100)), []);
    assert.deepEqual(findUnpricedTokens(tiered, written(101)), ['long_cache_write']);
  });

  it('looks at the rates that the call is charged at', () => {
    const price = priced({
      inputPerMillion: usd('2'),
      outputPerMillion: usd('8'),
      audioInputPerMillion: usd('2'),
      above: { inputTokens: 100, inputPerMillion: usd('4'), outputPerMillion: usd('8') },
    });
    assert.deepEqual(findUnpricedTokens(price, { ...NO_USAGE, audioInputTokens: 100 }), []);
    assert.deepEqual(findUnpricedTokens(price, { ...NO_USAGE, audioInputTokens: 101 }), ['audio']);
    const both = { ...NO_USAGE, audioOutputTokens: 1, imageOutputTokens: 1 };
    assert.deepEqual(findUnpricedTokens(price, both), ['audio', 'image']);
  });
});

describe('worstCaseCost', () => {
  it('charges input and output at their dearest class', () => {
    const price = priced({
      inputPerMillion: usd('3'),
      outputPerMillion: usd('15'),
      cachedInputPerMillion: usd('0.3'),
      cacheWritePerMillion: usd('3.75'),
    });
    // 1000 × 3750 + 100 × 15 000
    assert.equal(
      worstCaseCost(price, {
        inputTokensMax: 1_000,
        hasMediaInput: true,
        outputTokensMax: 100,
        hasMediaOutput: true,
      }),
      5_250_000n,
    );
  });

  it('holds the prices of audio and images only where they may come in or out', () => {
    const price = priced({
      inputPerMillion: usd('2'),
      outputPerMillion: usd('8'),
      audioInputPerMillion: usd('30'),
      imageOutputPerMillion: usd('40'),
    });
    const bound = { inputTokensMax: 1_000, outputTokensMax: 100 };
    const worst = (hasMediaInput: boolean, hasMediaOutput: boolean) =>
      worstCaseCost(price, { ...bound, hasMediaInput, hasMediaOutput });
    // 1000 × 2000 or × 30 000; 100 × 8000 or × 40 000
    assert.equal(worst(false, false), 2_800_000n);
    assert.equal(worst(true, false), 30_800_000n);
    assert.equal(worst(false, true), 6_000_000n);
    assert.equal(worst(true, true), 34_000_000n);
  });

  it('uses the long-context rates only when the input may reach them', () => {
    const price = priced({
      inputPerMillion: usd('1.25'),
      outputPerMillion: usd('10'),
      above: { inputTokens: 200_000, inputPerMillion: usd('2.5'), outputPerMillion: usd('15') },
    });
    assert.equal(
      worstCaseCost(price, {
        inputTokensMax: 200_000,
        hasMediaInput: true,
        outputTokensMax: 0,
        hasMediaOutput: true,
      }),
      250_000_000n,
    );
    assert.equal(
      worstCaseCost(price, {
        inputTokensMax: 200_001,
        hasMediaInput: true,
        outputTokensMax: 1,
        hasMediaOutput: true,
      }),
      500_017_500n,
    );
  });

  it('is never below the cost of any usage within the bound', () => {
    const rate = fc.bigInt({ min: 0n, max: 200_000_000_000n }).map(nanosPerMillion);
    const rates = fc.record(
      {
        inputPerMillion: rate,
        outputPerMillion: rate,
        cachedInputPerMillion: rate,
        cacheWritePerMillion: rate,
        longCacheWritePerMillion: rate,
        reasoningPerMillion: rate,
      },
      { requiredKeys: ['inputPerMillion', 'outputPerMillion'] },
    );
    const count = fc.integer({ min: 0, max: 300_000 });
    const counts = fc.tuple(count, count, count, count, count, count);
    fc.assert(
      fc.property(
        rates,
        rates,
        count,
        counts,
        count,
        count,
        (base, long, threshold, tokens, moreInput, moreOutput) => {
          const [
            inputTokens,
            cachedInputTokens,
            cacheWriteTokens,
            longCacheWriteTokens,
            outputTokens,
            reasoningTokens,
          ] = tokens;
          const price = priced({ ...base, above: { ...long, inputTokens: threshold } });
          const usage: Usage = {
            inputTokens,
            cachedInputTokens,
            cacheWriteTokens,
            longCacheWriteTokens,
            outputTokens,
            reasoningTokens,
            provenance: 'provider',
          };
          const bound = {
            inputTokensMax:
              inputTokens + cachedInputTokens + cacheWriteTokens + longCacheWriteTokens + moreInput,
            hasMediaInput: false,
            outputTokensMax: outputTokens + reasoningTokens + moreOutput,
            hasMediaOutput: false,
          };
          assert(costOf(price, usage) <= worstCaseCost(price, bound));
        },
      ),
    );
  });
});
