import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NANOS_MAX, nanos } from '@keyfold/protocol';
import fc from 'fast-check';
import { PAR, isCurrency, minorDigits, parseAmount, toUsd } from './currency.ts';

test('currencies are those of ISO 4217, in capitals, with the digits that each has', () => {
  for (const code of ['USD', 'CNY', 'EUR', 'JPY', 'KWD']) assert.ok(isCurrency(code), code);
  for (const code of ['usd', 'XXZ', 'US', '', 'USDT', '$']) assert.ok(!isCurrency(code), code);
  assert.deepEqual(['USD', 'JPY', 'KWD', 'HUF', 'COP'].map(minorDigits), [2, 0, 3, 2, 2]);
});

test('an amount is read in the smallest unit of its currency, and refused where it is finer or no decimal', () => {
  assert.equal(parseAmount('700', 'CNY'), 70_000n);
  assert.equal(parseAmount('-0.50', 'CNY'), -50n);
  assert.equal(parseAmount('1.230', 'EUR'), 123n, 'a zero says nothing');
  assert.equal(parseAmount('12', 'JPY'), 12n);
  assert.equal(parseAmount('0.000000001', 'USD'), 1n);
  for (const [text, currency] of [
    ['1.005', 'CNY'],
    ['1.5', 'JPY'],
    ['1e3', 'USD'],
    ['NaN', 'USD'],
    ['Infinity', 'USD'],
    ['1.0000000001', 'USD'],
    [' 1', 'USD'],
    ['+1', 'USD'],
    ['', 'USD'],
    ['9'.repeat(16), 'USD'],
  ] as const) {
    assert.equal(parseAmount(text, currency), undefined, `${text} ${currency}`);
  }
});

test('an amount at a rate is worth no more than it is, to the nano-dollar', () => {
  assert.equal(toUsd(70_000n, { currency: 'CNY', usdPerUnit: PAR }), 700_000_000_000n);
  assert.equal(toUsd(1n, { currency: 'CNY', usdPerUnit: nanos(139_876_543n) }), 1_398_765n);
  assert.equal(toUsd(5n, { currency: 'JPY', usdPerUnit: nanos(6_700_001n) }), 33_500_005n);
  assert.equal(toUsd(123n, { currency: 'USD', usdPerUnit: PAR }), 123n);
  assert.throws(() => toUsd(10n ** 12n, { currency: 'JPY', usdPerUnit: nanos(10n ** 12n) }), RangeError);
  fc.assert(
    fc.property(fc.bigInt(1n, 10n ** 9n), fc.bigInt(1n, 10n ** 9n), (paid, rate) => {
      const usd = toUsd(paid, { currency: 'EUR', usdPerUnit: nanos(rate) });
      assert.ok(usd * 100n <= paid * rate && (usd + 1n) * 100n > paid * rate && usd <= NANOS_MAX);
    }),
  );
});
