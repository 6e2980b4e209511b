import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { InvalidArgumentError } from 'commander';
import {
  collectList,
  collectPair,
  compact,
  orNone,
  readCount,
  readSeconds,
  readTime,
  readUsd,
  toRule,
} from './option-value.ts';

describe('values of options', () => {
  test('counts are whole numbers from 1, seconds from 0', () => {
    assert.equal(readCount('60'), 60);
    assert.equal(readSeconds('0'), 0);
    for (const text of ['', '0', '-1', '1.5', '1e3', 'x'])
      assert.throws(() => readCount(text), InvalidArgumentError);
  });

  test('money is passed on as it was written, and refused rather than rounded', () => {
    assert.equal(readUsd('0.000000001'), '0.000000001');
    for (const text of ['-1', '1,50', '$1', '1e3', '0.0000000001', '']) {
      assert.throws(() => readUsd(text), InvalidArgumentError, text);
    }
  });

  test('lists take commas and repetition, and no empty names', () => {
    assert.deepEqual(collectList('a, b', ['z']), ['z', 'a', 'b']);
    assert.throws(() => collectList('a,,b', undefined), InvalidArgumentError);
  });

  test('pairs keep what follows the first equals sign', () => {
    assert.deepEqual(collectPair('team=a=b', { x: 'y' }), { x: 'y', team: 'a=b' });
    assert.throws(() => collectPair('=a', undefined), InvalidArgumentError);
  });

  test('times are RFC 3339 or durations from now; anything that is only nearly one is refused', () => {
    assert.equal(readTime('2030-01-31T00:00:00+01:00'), '2030-01-30T23:00:00.000Z');
    const inTwoHours = Date.parse(readTime('2h')) - Date.now();
    assert.ok(Math.abs(inTwoHours - 7_200_000) < 60_000);
    for (const text of ['2030-01-31', 'tomorrow', '2030-13-01T00:00:00Z', '1w', '0d', '-1d', '999999999d']) {
      assert.throws(() => readTime(text), InvalidArgumentError, text);
    }
  });

  test('none clears a rule, and absent members stay absent', () => {
    assert.equal(toRule(orNone(readCount)('none', undefined)), null);
    assert.deepEqual(orNone(collectList)('a', 'none'), ['a']);
    assert.equal(orNone(readCount)('5', undefined), 5);
    assert.deepEqual(compact({ a: undefined, b: null }), { b: null });
    assert.equal(compact({ a: undefined }), undefined);
  });
});
