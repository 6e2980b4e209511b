import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseExactJson } from './exact-json.ts';
import { isObject } from './reading.ts';

function rewrite(json: string): string {
  return JSON.stringify(parseExactJson(json));
}

describe('parseExactJson', () => {
  test('a whole number keeps every digit, however large and however deep', () => {
    for (const number of ['9007199254740993', '-18446744073709551617', '1'.repeat(400), '0', '-7']) {
      assert.equal(rewrite(number), number);
      assert.equal(rewrite(`{"a":[{"id":${number}}]}`), `{"a":[{"id":${number}}]}`);
    }
  });

  test('a number beyond all doubles is not lost', () => {
    for (const number of ['1e400', '-1e400', '1.5E999']) assert.equal(rewrite(`[${number}]`), `[${number}]`);
  });

  test('is what JSON.parse gives wherever a double says it all', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        assert.equal(rewrite(json), JSON.stringify(JSON.parse(json)));
      }),
    );
  });

  test('any integer comes back to the digit', () => {
    fc.assert(
      fc.property(fc.bigInt(), (number) => {
        assert.equal(rewrite(`{"a":${number}}`), `{"a":${number}}`);
      }),
    );
  });

  test('a string of digits stays a string', () => {
    assert.equal(rewrite('"9007199254740993"'), '"9007199254740993"');
  });

  test('a number that keeps its digits is no object', () => {
    assert.equal(isObject(parseExactJson('9007199254740993')), false);
    assert.equal(isObject(parseExactJson('{"a":9007199254740993}')), true);
  });

  test('what is no JSON throws', () => {
    for (const text of ['', '{', '01', '{"a":}', 'NaN', "{'a':1}"]) {
      assert.throws(() => parseExactJson(text), SyntaxError, text);
    }
  });
});
