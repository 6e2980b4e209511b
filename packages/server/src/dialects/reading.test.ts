import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { JsonObject } from './chat.ts';
import { isObject, ObjectReader, Reading } from './reading.ts';

/** Reads an object, and returns what it was refused for. */
function refusalOf(fields: JsonObject, read: (reader: ObjectReader) => void, path = ''): string | undefined {
  const reading = new Reading();
  read(new ObjectReader(fields, path, reading));
  const { refusal } = reading;
  return refusal === undefined ? undefined : `${refusal.code} ${refusal.detail.param}`;
}

const GETTERS: Readonly<Record<string, (reader: ObjectReader) => unknown>> = {
  text: (reader) => reader.text('f'),
  requiredText: (reader) => reader.requiredText('f'),
  flag: (reader) => reader.flag('f'),
  number: (reader) => reader.number('f', { min: 0, max: 1 }),
  integer: (reader) => reader.integer('f', { min: 1, max: 3 }),
  choice: (reader) => reader.choice('f', ['a', 'b']),
  object: (reader) => reader.object('f'),
  json: (reader) => reader.json('f'),
  objects: (reader) => reader.objects('f'),
  texts: (reader) => reader.texts('f'),
  list: (reader) => reader.list('f'),
};

describe('ObjectReader', () => {
  test('refuses a value of another type by the name of its field, at its whole path', () => {
    const wrong: Readonly<Record<string, readonly unknown[]>> = {
      text: [1, true, [], {}],
      requiredText: [1, undefined, null, []],
      flag: ['true', 0, 1],
      number: ['0', -0.1, 1.1, Number.NaN, {}],
      integer: ['1', 1.5, 0, 4, 1e30],
      choice: ['c', '', 1, ['a']],
      object: ['{}', [], 1],
      json: ['{}', [], 1],
      objects: ['[]', {}, 1],
      texts: ['a', {}, 1],
      list: ['a', {}, 1],
    };
    for (const [name, values] of Object.entries(wrong)) {
      for (const value of values) {
        const fields = { f: value } as JsonObject;
        const getter = GETTERS[name];
        assert.ok(getter);
        assert.equal(refusalOf(fields, getter, 'messages.0'), 'invalid_request messages.0.f', name);
      }
    }
  });

  test('names the item of a list that is wrong', () => {
    const fields = { f: [{}, 'a', 1] };
    assert.equal(
      refusalOf(fields, (reader) => reader.objects('f')),
      'invalid_request f.1',
    );
    assert.equal(
      refusalOf(fields, (reader) => reader.texts('f')),
      'invalid_request f.0',
    );
  });

  test('a field that is null or absent is not there, but for a text that must be', () => {
    for (const fields of [{}, { f: null }]) {
      for (const [name, getter] of Object.entries(GETTERS)) {
        const expected = name === 'requiredText' ? 'invalid_request f' : undefined;
        assert.equal(refusalOf(fields, getter), expected, name);
      }
      assert.equal(
        refusalOf(fields, (reader) => reader.done()),
        undefined,
      );
    }
  });

  test('what no reader has asked for is refused, whatever it is called', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string(), { minKeys: 1 }), fc.nat(), (fields, pick) => {
        const names = Object.keys(fields);
        const missed = names[pick % names.length] ?? '';
        const refusal = refusalOf(fields, (reader) => {
          for (const name of names) if (name !== missed) reader.text(name);
          reader.done();
        });
        assert.equal(refusal, `unsupported_parameter ${missed}`);
      }),
    );
  });

  test('what was asked for in any way is not refused', () => {
    for (const [name, getter] of Object.entries(GETTERS)) {
      const read = (reader: ObjectReader) => {
        getter(reader);
        reader.done();
      };
      assert.notEqual(refusalOf({ f: 'a' }, read), 'unsupported_parameter f', name);
    }
    assert.equal(
      refusalOf({ f: 'a', g: 1 }, (reader) => [reader.pass('f', 'g'), reader.done()]),
      undefined,
    );
  });

  test('a field with one right value is refused with any other', () => {
    const read = (reader: ObjectReader) => reader.expect('f', false, 'no');
    for (const value of [false, 'no', null]) assert.equal(refusalOf({ f: value }, read), undefined);
    for (const value of [true, 'yes', 0, {}, []]) {
      assert.equal(refusalOf({ f: value }, read), 'unsupported_parameter f');
    }
  });

  test('the first refusal stays, and reading goes on after it', () => {
    const reading = new Reading();
    const reader = new ObjectReader({ a: 1, b: 2 }, '', reading);
    assert.deepEqual([reader.text('a'), reader.requiredText('b'), reader.list('a')], [undefined, '', []]);
    reader.unsupported('b');
    assert.equal(reading.refusal?.detail.param, 'a');
    assert.match(reading.refusal.detail.message ?? '', /^'a' must be a string\.$/);
  });

  test('objects within know their place', () => {
    const fields = { a: { b: [{}, { c: 1 }] } };
    const read = (reader: ObjectReader) => reader.object('a')?.objects('b')[1]?.text('c');
    assert.equal(refusalOf(fields, read), 'invalid_request a.b.1.c');
  });
});

describe('isObject', () => {
  test('is true of JSON objects alone', () => {
    for (const value of [null, undefined, [], 'a', 1, true]) assert.equal(isObject(value), false);
    assert.equal(isObject({}), true);
  });
});
