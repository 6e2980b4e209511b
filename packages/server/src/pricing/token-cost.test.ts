/** Tests of exact prices out of floating-point prices per token. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseUsdPerToken } from './token-cost.ts';

describe('parseUsdPerToken', () => {
  it('is exact for every way a number is written', () => {
    assert.equal(parseUsdPerToken(1.25e-6), 1_250_000_000n); // 1.25 USD per million
    assert.equal(parseUsdPerToken(3.75e-8), 37_500_000n);
    assert.equal(parseUsdPerToken(2e-8), 20_000_000n);
    assert.equal(parseUsdPerToken(0.00012), 120_000_000_000n);
    assert.equal(parseUsdPerToken(1e-15), 1n);
    assert.equal(parseUsdPerToken(0), 0n);
    assert.equal(parseUsdPerToken(1), 1_000_000_000_000_000n);
  });

  it('rounds up what is finer than one nano-dollar per million tokens', () => {
    assert.equal(parseUsdPerToken(6.000000000000001e-7), 600_000_001n);
    assert.equal(parseUsdPerToken(5e-324), 1n);
  });

  it('refuses what is not a price', () => {
    for (const value of [-1e-6, Number.NaN, Number.POSITIVE_INFINITY, 1.1, 1e21, '1e-6', null, undefined]) {
      assert.equal(parseUsdPerToken(value), undefined, String(value));
    }
  });

  it('gives back every price of up to nine digits', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 999_999_999 }),
        fc.integer({ min: 0, max: 6 }),
        (digits, zeros) => {
          const nanosPerMillion = BigInt(digits) * 10n ** BigInt(zeros);
          assert.equal(parseUsdPerToken(Number(`${nanosPerMillion}e-15`)), nanosPerMillion);
        },
      ),
    );
  });
});
