import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { FIELD_BYTES_MAX, FIELDS_MAX } from '../field-finder.ts';
import { AnswerFields } from './answer-fields.ts';

type Found = 'broken' | [string, string][];

function find(text: string | Buffer, cuts: readonly number[] = []): Found {
  const fields = new AnswerFields();
  const bytes = Buffer.from(text);
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    fields.push(bytes.subarray(from, cut));
    from = cut;
  }
  const found = fields.end();
  return found === 'broken' ? found : found.map(({ field, json }) => [field, json.toString().trim()]);
}

const ANSWER = JSON.stringify({
  candidates: [
    {
      content: { parts: [{ text: '"usageMetadata": {"} \\" — 言葉' }, { usageMetadata: 1, error: 2 }] },
      finishReason: 'STOP',
      index: 0,
    },
    { groundingMetadata: { a: [{ finishReason: 'X' }] }, citations: [[{ finishReason: 'Y' }]] },
  ],
  promptFeedback: { blockReason: 'OTHER' },
  usageMetadata: { totalTokenCount: 3, details: [{ error: 1 }] },
  error: null,
});
const FOUND: Found = [
  ['finishReason', '"STOP"'],
  ['groundingMetadata', '{"a":[{"finishReason":"X"}]}'],
  ['promptFeedback', '{"blockReason":"OTHER"}'],
  ['usageMetadata', '{"totalTokenCount":3,"details":[{"error":1}]}'],
  ['error', 'null'],
];

describe('AnswerFields', () => {
  test('finds the fields of the answer and of its candidates, and none that lie elsewhere', () => {
    assert.deepEqual(find(ANSWER), FOUND);
  });

  test('however the bytes are cut, it finds the same', () => {
    const { length } = Buffer.from(ANSWER);
    for (let cut = 0; cut <= length; cut++) assert.deepEqual(find(ANSWER, [cut]), FOUND, `cut at ${cut}`);
    assert.deepEqual(
      find(
        ANSWER,
        Array.from({ length }, (_, index) => index),
      ),
      FOUND,
    );
  });

  test('space changes nothing', () => {
    const spaced = find(` \t${JSON.stringify(JSON.parse(ANSWER), undefined, 2)}\r`);
    assert.ok(spaced !== 'broken');
    assert.deepEqual(
      spaced.map(([field, json]) => [field, JSON.stringify(JSON.parse(json))]),
      FOUND,
    );
    assert.deepEqual(find(' { "error" : 7 , "usageMetadata" : { } } '), [
      ['error', '7'],
      ['usageMetadata', '{ }'],
    ]);
  });

  test('one answer says nothing about the next', () => {
    const fields = new AnswerFields();
    for (const first of [
      ANSWER,
      ANSWER.slice(0, 60),
      '{"candidates":[{"finishReason',
      '[1',
      '"x',
      '{}}',
      '{"a":"\\',
    ]) {
      fields.push(Buffer.from(first));
      fields.end();
      fields.push(Buffer.from('{"":0,"usageMetadata":1}'));
      const found = fields.end();
      assert.ok(found !== 'broken', first);
      assert.deepEqual(
        found.map(({ json }) => json.toString()),
        ['1'],
      );
    }
  });

  test('data that is no object has no fields', () => {
    for (const text of ['', '  ', '[DONE]', '[{"error":1}]', '"error"', 'null', '7', 'error: {']) {
      assert.deepEqual(find(text), [], text);
    }
  });

  test('an object without its proper end is broken', () => {
    for (const text of ['{', '{"error":1', '{"error":"1}', '{"a":[}', '{}{}', '{} x', '{"error":1}]', '{]']) {
      assert.equal(find(text), 'broken', text);
    }
  });

  test('candidates that are no list of objects have no fields', () => {
    for (const text of [
      '{"candidates":{"a":{"finishReason":"STOP"}}}',
      '{"candidates":[["finishReason","STOP"],[{"finishReason":"STOP"}]]}',
      '{"candidate":[{"finishReason":"STOP"}]}',
      '{"candidates":"x","other":[{"finishReason":"STOP"}]}',
    ]) {
      assert.deepEqual(find(text), [], text);
    }
  });

  test('a longer key is another key', () => {
    assert.deepEqual(find(`{"usageMetadata${'x'.repeat(5_000)}":1,"errors":1,"rror":2,"\\"error":3}`), []);
  });

  test('data may go on in another line, but not within a string', () => {
    const fields = new AnswerFields();
    for (const line of ['{"usageMetadata":', '{"a":1,', '"b":2', '}}']) {
      fields.push(Buffer.from(line));
      fields.breakLine();
    }
    const found = fields.end();
    assert.ok(found !== 'broken');
    assert.deepEqual(JSON.parse(found[0]?.json.toString() ?? ''), { a: 1, b: 2 });
    fields.push(Buffer.from('{"a":"x'));
    fields.breakLine();
    fields.push(Buffer.from('"}'));
    assert.equal(fields.end(), 'broken');
  });

  test('it keeps little, however long a value is and however many there are', () => {
    const long = find(`{"usageMetadata":"${'x'.repeat(100_000)}","error":1}`, [10, 30_000, 60_000]);
    assert.ok(long !== 'broken');
    assert.equal(long[0]?.[1].length, FIELD_BYTES_MAX);
    assert.deepEqual(long[1], ['error', '1']);
    const candidates = (count: number) =>
      `{"candidates":[${Array.from({ length: count }, () => '{"finishReason":"STOP"}').join(',')}]}`;
    assert.equal(find(candidates(FIELDS_MAX)).length, FIELDS_MAX);
    assert.equal(find(candidates(FIELDS_MAX + 1)), 'broken');
  });

  test('it keeps none of the bytes that it is given', () => {
    const fields = new AnswerFields();
    const bytes = Buffer.from('{"usageMetadata":{"a":1}}');
    for (const byte of bytes) {
      const part = Buffer.from([byte]);
      fields.push(part);
      part.fill(0);
    }
    const found = fields.end();
    assert.ok(found !== 'broken');
    assert.equal(found[0]?.json.toString(), '{"a":1}');
  });

  test('whatever JSON comes, it finds what a parser finds', () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    const candidate = fc.dictionary(fc.constantFrom('finishReason', 'content', 'candidates', '"'), value);
    const answer = fc.record(
      { usageMetadata: value, error: value, text: value, candidates: fc.array(candidate, { maxLength: 4 }) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(answer, fc.array(fc.nat(300)), (parsed, at) => {
        const text = JSON.stringify(parsed);
        const { length } = Buffer.from(text);
        const cuts = at.map((cut) => Math.min(cut, length)).sort((left, right) => left - right);
        const found = find(text, cuts);
        assert.ok(found !== 'broken');
        const again = JSON.parse(text) as typeof parsed;
        const expected = Object.entries(again).flatMap(([key, value]) => {
          if (key === 'usageMetadata' || key === 'error') return [[key, JSON.stringify(value)]];
          if (key !== 'candidates') return [];
          return (again.candidates ?? []).flatMap((each) =>
            'finishReason' in each ? [['finishReason', JSON.stringify(each['finishReason'])]] : [],
          );
        });
        assert.deepEqual(found, expected);
      }),
      { numRuns: 1000 },
    );
  });

  test('never throws, whatever comes and however it is cut', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '\\',
        '"candidates":[{',
        '"error":',
        '"usageMetadata":',
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.array(fc.nat(200)), (pieces, at) => {
        const text = Buffer.from(pieces.join(''));
        const cuts = at.map((cut) => Math.min(cut, text.length)).sort((left, right) => left - right);
        assert.deepEqual(find(text, cuts), find(text));
      }),
      { numRuns: 2000 },
    );
  });
});
