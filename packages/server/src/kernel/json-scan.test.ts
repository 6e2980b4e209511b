import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  JSON_DEPTH_MAX,
  JSON_KEYS_MAX,
  JsonObjectScan,
  JsonRefusal,
  type JsonRefusalReason,
  type JsonSpan,
  parseJsonObject,
  scanJsonObject,
} from './json-scan.ts';

function scan(text: string): JsonObjectScan {
  const result = scanJsonObject(Buffer.from(text));
  assert.ok(result instanceof JsonObjectScan, `${text.slice(0, 80)} was refused: ${JSON.stringify(result)}`);
  return result;
}

function refuse(body: string | Buffer): JsonRefusal {
  const result = scanJsonObject(Buffer.from(body));
  assert.ok(result instanceof JsonRefusal, `${body.toString().slice(0, 80)} was accepted`);
  return result;
}

describe('scanJsonObject', () => {
  test('finds the top-level fields where they lie', () => {
    const text = ' {"a" : "x\\n", "b":-1.5e3,"c":{"d":[1]},"e":[],"t":true,"f":false,"n":null}\r\n';
    const found = scan(text);
    const kinds = { a: 'string', b: 'number', c: 'object', e: 'array', t: 'true', f: 'false', n: 'null' };
    for (const [name, kind] of Object.entries(kinds)) assert.equal(found.field(name)?.kind, kind, name);
    assert.equal(found.field('d'), undefined);
    const span = found.field('c');
    assert.ok(span);
    assert.equal(text.slice(span.start, span.end), '{"d":[1]}');
    assert.equal(text[found.closingBrace], '}');
    assert.equal(found.isEmpty, false);
    assert.equal(scan('{}').isEmpty, true);
    assert.equal(scan(' { } ').closingBrace, 3);
  });

  test('finds the values in an array where they lie', () => {
    const text = '{"a":[ 1, "x,]" ,{"b":[2]},[ ],null],"e":[ ],"n":1}';
    const found = scan(text);
    const itemsOf = (name: string) => found.itemsOf(found.field(name) as JsonSpan);
    assert.deepEqual(
      itemsOf('a').map(({ start, end, kind }) => [text.slice(start, end), kind]),
      [
        ['1', 'number'],
        ['"x,]"', 'string'],
        ['{"b":[2]}', 'object'],
        ['[ ]', 'array'],
        ['null', 'null'],
      ],
    );
    assert.deepEqual(itemsOf('e'), []);
    assert.throws(() => itemsOf('n'), TypeError);
  });

  test('tells the names that are not all lower case', () => {
    const found = scan('{"max_tokens2":{"B":1},"Az":1,"é":1,"\\u0061":2,"\\u004d":3}');
    assert.deepEqual(found.namesBeyondLowerCase(), ['Az', 'é', 'a', 'M']);
  });

  test('finds a field however its key is spelled', () => {
    const found = scan('{"mod\\u0065l":"x"}');
    const span = found.field('model');
    assert.ok(span);
    assert.equal(found.readString(span), 'x');
  });

  test('reads values, and refuses to read one as another kind', () => {
    const found = scan('{"s":"é\\u00e9\\ud83d\\ude00\\\\","n":12.5,"o":{"a":{"b":[1,"x"]}}}');
    const [text, number, object] = [found.field('s'), found.field('n'), found.field('o')];
    assert.ok(text && number && object);
    assert.equal(found.readString(text), 'éé😀\\');
    assert.equal(found.readNumber(number), 12.5);
    assert.deepEqual(found.readJson(object), { a: { b: [1, 'x'] } });
    assert.throws(() => found.readString(number), TypeError);
    assert.throws(() => found.readNumber(text), TypeError);
    assert.throws(() => found.fieldsOf(text), TypeError);
  });

  test('scans an object inside the object, with offsets into the same body', () => {
    const text = '{"stream_options":{"x":1,"include_usage":true},"z":{}}';
    const found = scan(text);
    const options = found.field('stream_options');
    const empty = found.field('z');
    assert.ok(options && empty);
    const inner = found.fieldsOf(options);
    assert.equal(inner.field('include_usage')?.kind, 'true');
    assert.equal(text.slice(inner.closingBrace), '},"z":{}}');
    assert.equal(found.fieldsOf(empty).isEmpty, true);
  });

  test('accepts exactly the objects that JSON.parse accepts', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'grapheme' }), fc.jsonValue({ maxDepth: 6 })), (value) => {
        const clean = JSON.parse(JSON.stringify(value)) as Record<string, unknown>;
        for (const text of [JSON.stringify(clean), JSON.stringify(clean, null, '\t')]) {
          if (/"(?:__proto__|constructor|prototype)":|\\ud[89a-f]/i.test(text)) continue;
          const found = scan(text);
          for (const [name, expected] of Object.entries(clean)) {
            if (!/^[ -~]*$/.test(name)) continue;
            const span = found.field(name);
            assert.ok(span);
            assert.deepEqual(found.readJson(span), expected);
          }
          assert.deepEqual(parseJsonObject(Buffer.from(text)), clean);
        }
      }),
      { numRuns: 400 },
    );
  });

  test('agrees with JSON.parse on damaged text', () => {
    const sample =
      '{"a":[1,-0.5e+7,"x\\u00e9\\n",{"b":null,"c":true}],"d":"long enough to be read in words, with \\"quotes\\""}';
    fc.assert(
      fc.property(
        fc.nat(sample.length - 1),
        fc.constantFrom(...'{}[],:"\\ .-+eE0123aubtfn\n\t\u0001'),
        fc.boolean(),
        (at, character, inserts) => {
          const text = sample.slice(0, at) + character + sample.slice(inserts ? at : at + 1);
          assert.equal(
            scanJsonObject(Buffer.from(text)) instanceof JsonObjectScan,
            isStrictObject(text),
            text,
          );
        },
      ),
      { numRuns: 3000 },
    );
  });

  test('finds the end of a string wherever the quote, the escape or the control character stands', () => {
    for (let length = 0; length < 140; length++) {
      const plain = 'ÿ'.repeat(length % 7) + 'x'.repeat(length);
      assert.equal(scan(`{"a":"${plain}","b":1}`).field('b')?.kind, 'number');
      assert.equal(scan(`{"a":"${plain}\\"${plain}","b":1}`).field('b')?.kind, 'number');
      assert.equal(scan(`{"a":"${plain}\\\\","b":1}`).field('b')?.kind, 'number');
      assert.equal(refuse(`{"a":"${plain}\u001f${plain}"}`).reason, 'control_character');
      assert.equal(refuse(`{"a":"${plain}`).reason, 'malformed');
    }
  });

  const refused: readonly [JsonRefusalReason, string, ...(string | Buffer)[]][] = [
    ['not_an_object', 'a top level that is no object', '[]', '"x"', '1', 'null', ' [{}]', '\ufeff{}'],
    ['malformed', 'no text', '', ' \n'],
    [
      'malformed',
      'an object cut short',
      '{',
      '{"a"',
      '{"a":',
      '{"a":1',
      '{"a":1,',
      '{"a":[',
      '{"a":[1',
      '{"a":"x',
    ],
    [
      'malformed',
      'wrong punctuation',
      '{,}',
      '{"a":1,}',
      '{"a" 1}',
      '{"a":1 "b":2}',
      '{"a":[1,]}',
      '{"a":[1 2]}',
      '{"a":[}',
    ],
    ['malformed', 'keys that are no strings', '{a:1}', "{'a':1}", '{1:1}', '{"a":1,b:2}'],
    [
      'malformed',
      'wrong numbers',
      '{"a":01}',
      '{"a":+1}',
      '{"a":1.}',
      '{"a":.5}',
      '{"a":-}',
      '{"a":1e}',
      '{"a":1e+}',
      '{"a":0x1}',
      '{"a":NaN}',
      '{"a":Infinity}',
      '{"a":-01}',
      '{"a":--1}',
    ],
    [
      'malformed',
      'wrong literals',
      '{"a":tru}',
      '{"a":True}',
      '{"a":nul}',
      '{"a":fals}',
      '{"a":undefined}',
      '{"a":t',
    ],
    [
      'malformed',
      'wrong escapes',
      '{"a":"\\x"}',
      '{"a":"\\u12g4"}',
      '{"a":"\\u12"}',
      '{"a":"\\',
      '{"a":"\\u',
      '{"a":"\\ud800\\u12"}',
    ],
    ['malformed', 'comments', '{/**/}', '{"a":1//\n}'],
    ['malformed', 'space that JSON does not know', '{\u00a0}', '{\f}', '{"a":\v1}'],
    ['control_character', 'control characters in strings', '{"a":"\n"}', '{"a":"\u0000"}', '{"\t":1}'],
    [
      'lone_surrogate',
      'lone surrogates',
      '{"a":"\\ud800"}',
      '{"a":"\\udc00"}',
      '{"a":"\\udc00\\ud800"}',
      '{"a":"\\ud800\\u0041"}',
      '{"a":"\\ud800x"}',
      '{"\\uDBFF":1}',
    ],
    [
      'invalid_utf8',
      'bytes that are not UTF-8',
      Buffer.from('{"a":"\xff"}', 'latin1'),
      Buffer.from('{"a":"\xed\xa0\x80"}', 'latin1'),
      Buffer.from('{"a":"\xc0\xaf"}', 'latin1'),
    ],
    ['trailing_data', 'anything after the object', '{}{}', '{} x', '{}\u0000', '{},'],
    [
      'duplicate_key',
      'duplicate keys',
      '{"a":1,"a":1}',
      '{"x":{"a":1,"b":2,"a":1}}',
      '{"x":[{"a":1,"a":2}]}',
      '{"":1,"":2}',
    ],
    [
      'duplicate_key',
      'duplicates hidden by escapes',
      '{"a":1,"\\u0061":1}',
      '{"\\u0061":1,"a":1}',
      '{"\\u0061":1,"\\u0061":1}',
      '{"é":1,"\\u00e9":2}',
      '{"\\/":1,"/":2}',
    ],
    [
      'forbidden_key',
      'keys that reach a prototype',
      '{"__proto__":1}',
      '{"a":[{"constructor":1}]}',
      '{"prototype":{}}',
      '{"\\u005f_proto__":1}',
    ],
  ];
  for (const [reason, what, ...bodies] of refused) {
    test(`refuses ${what}`, () => {
      for (const body of bodies) assert.equal(refuse(body).reason, reason, body.toString());
    });
  }

  test('says where a text went wrong and which key is at fault, shortened', () => {
    assert.deepEqual({ ...refuse('{"a":1,"a":2}') }, { reason: 'duplicate_key', offset: 7, key: 'a' });
    assert.deepEqual({ ...refuse('{"a":01}') }, { reason: 'malformed', offset: 6, key: undefined });
    const long = 'k'.repeat(1000);
    assert.equal(refuse(`{"${long}":1,"${long}":1}`).key, 'k'.repeat(64));
  });

  test('refuses duplicates among many keys and among long keys', () => {
    const many = Array.from({ length: 40 }, (_, index) => `"k${index}":0`);
    for (const duplicate of [0, 15, 16, 39]) {
      assert.equal(refuse(`{${many.join(',')},"k${duplicate}":1}`).reason, 'duplicate_key');
    }
    assert.equal(scan(`{${many.join(',')},"k40":1}`).field('k40')?.kind, 'number');
    const long = 'k'.repeat(100);
    assert.equal(refuse(`{"${long}":1,"a":1,"${long}":1}`).reason, 'duplicate_key');
    assert.equal(refuse(`{${many.join(',')},"constructor":1}`).reason, 'forbidden_key');
  });

  test('keys of one object do not count in another', () => {
    scan('{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}],"c":{"b":1}}');
    refuse('{"a":{"b":1,"b":2}}');
    scan('{"b":1,"a":{"b":1}}');
  });

  test('bounds depth and the number of keys', () => {
    const nested = (depth: number) => `{"a":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;
    scan(nested(JSON_DEPTH_MAX));
    assert.equal(refuse(nested(JSON_DEPTH_MAX + 1)).reason, 'too_deep');
    const objects = (depth: number) => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth);
    scan(objects(JSON_DEPTH_MAX));
    assert.equal(refuse(objects(JSON_DEPTH_MAX + 1)).reason, 'too_deep');
    assert.equal(refuse('{"a":'.repeat(100_000)).reason, 'too_deep');
    const keys = (count: number) =>
      `{${Array.from({ length: count }, (_, index) => `"${index}":0`).join(',')}}`;
    scan(keys(JSON_KEYS_MAX));
    assert.equal(refuse(keys(JSON_KEYS_MAX + 1)).reason, 'too_many_keys');
  });

  test('ten times the bytes cost at most thirty times the time', () => {
    const timeOf = (bytes: number) => {
      const body = Buffer.from(
        JSON.stringify({ model: 'm', messages: [{ role: 'user', content: 'a "b" é\n'.repeat(bytes / 12) }] }),
      );
      let best = Infinity;
      for (let round = 0; round < 5; round++) {
        const start = performance.now();
        assert.ok(scanJsonObject(body) instanceof JsonObjectScan);
        best = Math.min(best, performance.now() - start);
      }
      return best;
    };
    timeOf(1_000_000);
    assert.ok(timeOf(10_000_000) < 30 * timeOf(1_000_000));
  });
});

describe('parseJsonObject', () => {
  test('parses what the scan accepts and refuses what it refuses', () => {
    assert.deepEqual(parseJsonObject(Buffer.from('{"a":[1,"x"]}')), { a: [1, 'x'] });
    assert.ok(parseJsonObject(Buffer.from('{"a":1,"a":2}')) instanceof JsonRefusal);
    assert.ok(!(parseJsonObject(Buffer.from('{"reason":"x"}')) instanceof JsonRefusal));
  });
});

/** What the scan should accept of damaged samples: JSON.parse plus the stricter rules that damage can break. */
function isStrictObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    return JSON.stringify(value).replaceAll(/\s/g, '').length === canonicalLength(text);
  } catch {
    return false;
  }
}

/** Length without space once every key has been kept: shorter means that JSON.parse dropped a duplicate. */
function canonicalLength(text: string): number {
  const keys = text.match(/"(?:[^"\\]|\\.)*"\s*:/g) ?? [];
  const parsed = JSON.stringify(JSON.parse(text));
  const kept = parsed.match(/"(?:[^"\\]|\\.)*":/g) ?? [];
  return keys.length === kept.length ? parsed.replaceAll(/\s/g, '').length : -1;
}
