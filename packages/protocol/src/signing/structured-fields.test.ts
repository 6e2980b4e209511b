import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type BareItem,
  type ItemParameters,
  parseByteSequences,
  parseInnerLists,
  renderBareItem,
  renderParameters,
} from './structured-fields.ts';

const key = fc.stringMatching(/^[a-z*][a-z0-9_.*-]{0,7}$/);
const bytes = fc.uint8Array({ maxLength: 12 });
const bareItem: fc.Arbitrary<BareItem> = fc.oneof(
  fc.string({ unit: fc.integer({ min: 0x20, max: 0x7e }).map((code) => String.fromCharCode(code)) }),
  fc.integer({ min: -999_999_999_999_999, max: 999_999_999_999_999 }),
  fc.boolean(),
  bytes,
  fc.stringMatching(/^[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]{0,7}$/).map((token) => ({ token })),
);
const parameters: fc.Arbitrary<ItemParameters> = fc
  .uniqueArray(fc.tuple(key, bareItem), { selector: ([name]) => name, maxLength: 4 })
  .map((entries) => new Map(entries));
const innerList = fc.record({
  items: fc.array(fc.record({ value: bareItem, parameters }, { noNullPrototype: true }), { maxLength: 5 }),
  parameters,
});

describe('structured fields', () => {
  test('inner lists come back as they were rendered, with their exact text', () => {
    const members = fc.uniqueArray(fc.tuple(key, innerList), {
      selector: ([name]) => name,
      minLength: 1,
      maxLength: 3,
    });
    fc.assert(
      fc.property(members, fc.constantFrom(',', ', ', ' ,\t'), (members, comma) => {
        const texts = members.map(([, { items, parameters }]) => {
          const rendered = items.map(
            (item) => renderBareItem(item.value) + renderParameters(item.parameters),
          );
          return `(${rendered.join(' ')})${renderParameters(parameters)}`;
        });
        const field = members.map(([name], index) => `${name}=${texts[index]}`).join(comma);
        fc.pre(field.length <= 4096);
        const expected = members.map(
          ([name, list], index) => [name, { ...list, raw: texts[index] }] as const,
        );
        assert.deepEqual(parseInnerLists(` ${field} `), new Map(expected));
      }),
    );
  });

  test('byte sequences come back as they were rendered', () => {
    const members = fc.uniqueArray(fc.tuple(key, bytes), {
      selector: ([name]) => name,
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(members, (members) => {
        const field = members.map(([name, value]) => `${name}=${renderBareItem(value)}`).join(', ');
        assert.deepEqual(parseByteSequences(field), new Map(members));
      }),
    );
  });

  test('whatever is sent, nothing is thrown', () => {
    const texts = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'ab=(); ,":?01-.\\\t*é') }));
    fc.assert(
      fc.property(texts, (text) => {
        for (const field of [text, `a=(${text}`, `a=(${text})`, `a=();${text}`, `a=:${text}:`]) {
          parseInnerLists(field);
          parseByteSequences(field);
        }
      }),
      { numRuns: 1000 },
    );
  });

  const malformed = [
    ['an empty field', ['', '  ', '\t']],
    ['a member without a value', ['a', 'a=', 'a, b=()', 'a;b', 'a=();b=']],
    ['a comma too many', ['a=(),', ',a=()', 'a=(),,b=()']],
    ['something after the member', ['a=()x', 'a=() b=()', 'a=();', 'a=() ;b=1']],
    ['a name that is repeated', ['a=(), a=()', 'a=();b=1;b=1', 'a=("x";b;b)']],
    ['a name in capitals, or of no letter', ['A=()', '1=()', 'a=();B=1', '=()']],
    [
      'another spelling of the same list',
      ['a=( )', 'a=( "b")', 'a=("b" )', 'a=("b"  "c")', 'a=(); b=1', 'a=();b=?1'],
    ],
    ['items that nothing separates', ['a=("b""c")', 'a=(1"c")', 'a=("b",  "c")', 'a=("b"\t"c")']],
    ['a list left open, or of lists', ['a=(', 'a=("b"', 'a=("b', 'a=(("b"))', 'a=)', 'a="b"', 'a=b']],
    [
      'a number that is no integer of at most 15 digits',
      ['a=(01)', 'a=(-0)', 'a=(1.5)', 'a=(--1)', 'a=(+1)', 'a=(1234567890123456)', 'a=(1e3)'],
    ],
    [
      'a string with what it cannot hold',
      ['a=("\\n")', 'a=("é")', 'a=("\n")', 'a=("\u007f")', 'a=("\\")', "a=('b')"],
    ],
    ['a boolean that is none', ['a=(?2)', 'a=(?)', 'a=(?true)']],
    ['a date, which RFC 9651 adds', ['a=(@1659578233)', 'a=();b=@1659578233']],
    [
      'bytes that are no canonical base64',
      ['a=(:AQI:)', 'a=(:AQJ=:)', 'a=(:A-_=:)', 'a=(:AQI=)', 'a=(: AQI=:)'],
    ],
  ] as const;
  for (const [what, fields] of malformed) {
    test(`${what} is refused`, () => {
      for (const field of fields) assert.equal(parseInnerLists(field), undefined, field);
    });
  }

  test('a dictionary of bytes holds nothing else, and no parameters', () => {
    for (const field of [
      'a=()',
      'a="AQI="',
      'a=AQI',
      'a=1',
      'a=?1',
      'a',
      'a=:AQI=:;b=1',
      'a=:AQI:',
      'a=:AQI=:, a=:AQI=:',
    ]) {
      assert.equal(parseByteSequences(field), undefined, field);
    }
    assert.deepEqual(parseByteSequences('a=::'), new Map([['a', new Uint8Array()]]));
  });

  test('members, items and characters are bounded', () => {
    const members = (count: number) => Array.from({ length: count }, (_, index) => `a${index}=()`).join(',');
    assert.equal(parseInnerLists(members(8))?.size, 8);
    assert.equal(parseInnerLists(members(9)), undefined);
    const items = (count: number) => `a=(${Array.from({ length: count }, () => '1').join(' ')})`;
    assert.equal(parseInnerLists(items(32))?.get('a')?.items.length, 32);
    assert.equal(parseInnerLists(items(33)), undefined);
    const characters = (count: number) => `a=("${'x'.repeat(count - 6)}")`;
    assert.equal(parseInnerLists(characters(4096))?.size, 1);
    assert.equal(parseInnerLists(characters(4097)), undefined);
  });

  test('what the format cannot carry is not rendered', () => {
    for (const value of ['é', 'a\nb', 1.5, Number.NaN, 1e15, -1e15, Number.POSITIVE_INFINITY]) {
      assert.throws(() => renderBareItem(value), RangeError, String(value));
    }
  });
});
