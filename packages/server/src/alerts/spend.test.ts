import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { formatUsd, nanos, parseUsd } from '@keyfold/protocol';
import fc from 'fast-check';
import { readShortAmount } from './spend.ts';

describe('the amount of a record', () => {
  test('is read as money is read everywhere, or is left to that', () => {
    const written = fc.bigInt({ min: 0n, max: 10n ** 15n }).map((amount) => formatUsd(nanos(amount)));
    const anything = fc.stringMatching(/^[-0-9. e]{0,14}$/);
    fc.assert(
      fc.property(fc.oneof(written, anything), (usd) => {
        const amount = readShortAmount(usd);
        if (amount !== undefined) assert.equal(amount, parseUsd(usd));
      }),
      { seed: 5, numRuns: 2_000 },
    );
  });

  test('is read at once below a million dollars', () => {
    for (const amount of [0n, 1n, 12_300_000n, 1_000_000_000n, 999_999_999_999_999n])
      assert.equal(readShortAmount(formatUsd(nanos(amount))), amount);
    for (const usd of ['', '.', '1.', '.5', '-1', '1e3', '0.0000000001', '1000000.00', '1.2.3'])
      assert.equal(readShortAmount(usd), undefined, usd);
  });
});
