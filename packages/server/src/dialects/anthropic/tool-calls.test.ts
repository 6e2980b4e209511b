import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { parseArguments, writeToolId } from './tool-calls.ts';

describe('writeToolId', () => {
  test("an id that Anthropic takes stays as it is, other than those that look like one of Keyfold's", () => {
    for (const id of ['toolu_01D7FLrfh4GYq7yT1ULFeyMV', 'call_abc-1', 'c']) assert.equal(writeToolId(id), id);
    assert.notEqual(writeToolId('toolu_kf_x'), 'toolu_kf_x');
  });

  test('every id becomes one that Anthropic takes, and no two become one', () => {
    const id = fc.oneof(fc.string({ unit: 'grapheme' }), fc.constantFrom('a.b', 'a_b', 'toolu_kf_YS5i', ''));
    fc.assert(
      fc.property(id, id, (one, other) => {
        assert.match(writeToolId(one), /^[a-zA-Z0-9_-]+$/);
        assert.equal(writeToolId(one) === writeToolId(other), one === other);
      }),
    );
  });
});

describe('parseArguments', () => {
  test('nothing is no arguments, and whole numbers keep their digits', () => {
    assert.deepEqual(parseArguments(''), {});
    assert.equal(JSON.stringify(parseArguments('{"a":12345678901234567890}')), '{"a":12345678901234567890}');
  });

  test('what is no object is not taken', () => {
    for (const json of ['[1]', '"x"', 'null', '{"a":', '12345678901234567890']) {
      assert.equal(parseArguments(json), undefined);
    }
  });
});
