import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { NANOS_MAX, formatUsd, nanos, parseUsd } from './money.ts';

describe('money', () => {
  test('decimal dollars become exact nano-dollars', () => {
    assert.equal(parseUsd('0.1'), 100_000_000n);
    assert.equal(parseUsd(0.1), 100_000_000n);
    assert.equal(parseUsd('5.00'), 5_000_000_000n);
    assert.equal(parseUsd('0.000000001'), 1n);
    assert.equal(parseUsd('-2.5'), -2_500_000_000n);
  });

  test('whatever is not a plain decimal of at most nine places is refused, not rounded', () => {
    for (const bad of [
      '',
      ' 1',
      '1 ',
      '1e3',
      '.5',
      '5.',
      '0x10',
      'NaN',
      '1,5',
      '0.0000000001',
      '99999999999',
      '+1',
    ]) {
      assert.equal(parseUsd(bad), undefined, bad);
    }
    for (const bad of [NaN, Infinity, -Infinity, 1e21, 1e-10])
      assert.equal(parseUsd(bad), undefined, String(bad));
  });

  test('an amount beyond the ledger columns throws instead of wrapping', () => {
    assert.throws(() => nanos(NANOS_MAX + 1n), RangeError);
  });

  test('formatting and parsing are inverse for every amount', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -NANOS_MAX, max: NANOS_MAX }), (amount) => {
        assert.equal(parseUsd(formatUsd(nanos(amount))), amount);
      }),
    );
    assert.equal(formatUsd(nanos(5_000_000_000n)), '5.00');
    assert.equal(formatUsd(nanos(1_230_000_000n)), '1.23');
    assert.equal(formatUsd(nanos(-1n)), '-0.000000001');
    assert.equal(formatUsd(nanos(0n)), '0.00');
  });
});
