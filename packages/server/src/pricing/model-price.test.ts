/** Tests of reading and writing prices, and of the name that a vendor is sent. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  formatUsdPerMillion,
  type ModelPrice,
  NANOS_PER_MILLION_MAX,
  nanosPerMillion,
  parseUsdPerMillion,
  upstreamModelFor,
} from './model-price.ts';

describe('parseUsdPerMillion', () => {
  it('reads decimal text and numbers exactly', () => {
    assert.equal(parseUsdPerMillion('1'), 1_000_000_000n);
    assert.equal(parseUsdPerMillion('0.0375'), 37_500_000n);
    assert.equal(parseUsdPerMillion('0.000000001'), 1n);
    assert.equal(parseUsdPerMillion('0'), 0n);
    assert.equal(parseUsdPerMillion(0.3), 300_000_000n);
    assert.equal(parseUsdPerMillion('1000000'), NANOS_PER_MILLION_MAX);
  });

  it('refuses what it would have to round, guess or clamp', () => {
    for (const text of [
      '',
      '-1',
      '-0',
      '+1',
      '.5',
      '1.',
      '1e3',
      '0.0000000001',
      '1000000.000000001',
      'NaN',
      '1,5',
      ' 1',
      '0x1',
    ]) {
      assert.equal(parseUsdPerMillion(text), undefined, JSON.stringify(text));
    }
    for (const number of [-1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e-7, 1e21, 0.1 + 0.2]) {
      assert.equal(parseUsdPerMillion(number), undefined, String(number));
    }
  });

  it('reads back every price that formatUsdPerMillion writes', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: NANOS_PER_MILLION_MAX }), (amount) => {
        assert.equal(parseUsdPerMillion(formatUsdPerMillion(nanosPerMillion(amount))), amount);
      }),
    );
  });
});

describe('nanosPerMillion', () => {
  it('refuses a negative price and one above the maximum', () => {
    assert.throws(() => nanosPerMillion(-1n), RangeError);
    assert.throws(() => nanosPerMillion(NANOS_PER_MILLION_MAX + 1n), RangeError);
  });
});

describe('upstreamModelFor', () => {
  const price: ModelPrice = {
    provider: 'anthropic',
    model: 'claude-sonnet-4.5',
    upstreamModel: 'claude-sonnet-4-5',
    aliases: ['claude-sonnet-4-5', 'claude-sonnet-4-5-20250929'],
    mode: 'chat',
    inputPerMillion: nanosPerMillion(3_000_000_000n),
    outputPerMillion: nanosPerMillion(15_000_000_000n),
    effectiveFromMs: 0,
    source: 'test',
  };

  it("sends the vendor's name for the public name", () => {
    assert.equal(upstreamModelFor(price, 'claude-sonnet-4.5'), 'claude-sonnet-4-5');
  });

  it('sends a snapshot to a client that asks for that snapshot', () => {
    assert.equal(upstreamModelFor(price, 'claude-sonnet-4-5-20250929'), 'claude-sonnet-4-5-20250929');
  });
});
