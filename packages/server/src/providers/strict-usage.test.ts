import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { UsageReading } from './provider.ts';
import { fieldsOf, findCountProblem, readUsageField, readUsageObject } from './strict-usage.ts';

const USAGE = {
  inputTokens: 1,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
};

describe('readUsageField', () => {
  const read = (body: string): { seen: unknown; reading: UsageReading } => {
    let seen: unknown = 'nothing';
    const reading = readUsageField(Buffer.from(body), 'meta', (usage) => {
      seen = usage;
      return { usage: USAGE };
    });
    return { seen, reading };
  };

  test('gives the parsed field of the top level to the one who knows it', () => {
    assert.deepEqual(read('{"a":{"meta":2},"meta":{"b":[1]}}'), {
      seen: { b: [1] },
      reading: { usage: USAGE },
    });
    assert.deepEqual(read('{"a":{"meta":2}}').reading, { problem: 'missing' });
  });

  test('a body that is no object is unreadable, one that is ambiguous malformed', () => {
    for (const body of ['', '<html>', '[]', '7', '{"meta":', '{}{}']) {
      assert.deepEqual(read(body).reading, { problem: 'unreadable' });
    }
    for (const body of ['{"meta":1,"meta":2}', '{"__proto__":{}}', '{"a":"\\ud83d"}']) {
      assert.deepEqual(read(body), { seen: 'nothing', reading: { problem: 'malformed' } });
    }
  });
});

describe('readUsageObject', () => {
  test('only an object has fields', () => {
    assert.deepEqual(readUsageObject({ a: 1 }), { a: 1 });
    assert.equal(readUsageObject(undefined), 'missing');
    assert.equal(readUsageObject(null), 'missing');
    assert.equal(readUsageObject([1]), 'malformed');
    for (const value of ['x', 7, true]) assert.equal(readUsageObject(value), 'not_a_number');
    for (const value of [null, undefined, [], 'x', 7]) assert.equal(fieldsOf(value), undefined);
  });
});

describe('findCountProblem', () => {
  test('whole numbers of zero or more that are exact have none, and nothing else', () => {
    fc.assert(
      fc.property(fc.anything(), (count) => {
        const isCount = typeof count === 'number' && Number.isSafeInteger(count) && count >= 0;
        assert.equal(findCountProblem({ count }) === undefined, isCount);
      }),
    );
    fc.assert(fc.property(fc.maxSafeNat(), (count) => findCountProblem({ count }) === undefined));
  });

  test('says what is wrong, of the first that is', () => {
    const wrong: readonly [unknown, string][] = [
      [undefined, 'missing'],
      [null, 'missing'],
      ['1', 'not_a_number'],
      [Number.NaN, 'not_finite'],
      [-1, 'negative'],
      [1.5, 'malformed'],
      [2 ** 53, 'malformed'],
    ];
    for (const [count, problem] of wrong)
      assert.equal(findCountProblem({ ok: 1, count, after: 'x' }), problem);
  });
});
