import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Price, measure, readMoney } from './amount.ts';

const PRICES: Readonly<Record<string, Price>> = {
  'gpt-4.1': { inputUsdPerMillion: '2.00', outputUsdPerMillion: 8 },
  tiny: { inputUsdPerMillion: '0.000000001', outputUsdPerMillion: '0' },
};

describe('the cost of tokens', () => {
  test('is what the prices say, to the nano-dollar', () => {
    const { tokens, cost } = measure({ model: 'gpt-4.1', inputTokens: 1_000, outputTokens: 500 }, PRICES);
    assert.deepEqual([tokens, cost], [1_500, 6_000_000n]);
  });

  test('is rounded up, never down', () => {
    assert.equal(measure({ model: 'tiny', inputTokens: 1, outputTokens: 0 }, PRICES).cost, 1n);
    assert.equal(measure({ model: 'tiny', inputTokens: 1_000_000, outputTokens: 9 }, PRICES).cost, 1n);
    assert.equal(measure({ model: 'tiny', inputTokens: 1_000_001, outputTokens: 9 }, PRICES).cost, 2n);
    assert.equal(measure({ model: 'tiny', inputTokens: 0, outputTokens: 9 }, PRICES).cost, 0n);
  });

  test('of a model without a price is not zero but an error', () => {
    for (const model of ['unknown', '', 'constructor', '__proto__', 'toString']) {
      assert.throws(() => measure({ model, inputTokens: 1, outputTokens: 1 }, PRICES), /no price/);
    }
  });

  test('agrees with exact arithmetic', () => {
    const count = fc.nat(10_000_000);
    fc.assert(
      fc.property(count, count, (inputTokens, outputTokens) => {
        const { cost } = measure({ model: 'gpt-4.1', inputTokens, outputTokens }, PRICES);
        assert.equal(cost, BigInt(inputTokens) * 2_000n + BigInt(outputTokens) * 8_000n);
      }),
    );
  });
});

describe('an amount', () => {
  test('that is not told is unknown', () => {
    assert.deepEqual(measure({}, PRICES), { tokens: undefined, cost: undefined });
    assert.deepEqual(measure({ tokens: 7 }, PRICES), { tokens: 7, cost: undefined });
    assert.deepEqual(measure({ costUsd: '0.10' }, PRICES), { tokens: undefined, cost: 100_000_000n });
  });

  test('counts a part of a token as one', () => {
    assert.equal(measure({ tokens: 1.3 * 7 }, {}).tokens, 10);
  });

  test('that is none is refused', () => {
    for (const tokens of [-1, Number.NaN, Infinity, -Infinity, 2 ** 53, '5' as never, null as never]) {
      assert.throws(() => measure({ tokens }, {}), TypeError, String(tokens));
      assert.throws(
        () => measure({ model: 'gpt-4.1', inputTokens: tokens, outputTokens: 0 }, PRICES),
        TypeError,
      );
    }
    for (const costUsd of ['-1', -1, 'free', '1e3', '', '0.0000000001', Number.NaN, Infinity, 0.1 + 0.2]) {
      assert.throws(() => measure({ costUsd }, {}), TypeError, String(costUsd));
      assert.throws(() => readMoney(costUsd), TypeError);
    }
  });
});
