import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  FORM_PARTS_MAX,
  Form,
  FormRefusal,
  PART_HEAD_BYTES_MAX,
  readBoundary,
  readForm,
} from './multipart.ts';

const TYPE = 'multipart/form-data; boundary=b';

function part(head: string, content = ''): string {
  return `--b\r\n${head}\r\n\r\n${content}\r\n`;
}

function field(name: string, content: string): string {
  return part(`Content-Disposition: form-data; name="${name}"`, content);
}

function read(text: string | Buffer, type = TYPE): Form {
  const form = readForm(Buffer.from(text), type);
  assert.ok(form instanceof Form, JSON.stringify(form));
  return form;
}

function reasonOf(text: string | Buffer, type = TYPE): string {
  const refusal = readForm(Buffer.from(text), type);
  assert.ok(refusal instanceof FormRefusal);
  return refusal.reason;
}

describe('readForm', () => {
  test('finds each part where it lies, files and texts, whatever bytes they hold', () => {
    const sound = '\r\n--\r\n--a\r\n\r\n--b';
    const head =
      'content-disposition: form-data; filename="a\\"b; name=x.mp3"; name=file\r\nContent-Type: audio/mpeg';
    const body = `${field('model', 'm — 言葉')}${part(head, `x${sound.slice(0, -5)}`)}${field('empty', '')}--b--\r\n`;
    const form = read(body);
    assert.deepEqual(
      form.parts.map((each) => [each.name, each.isFile, form.readText(each)]),
      [
        ['model', false, 'm — 言葉'],
        ['file', true, `x${sound.slice(0, -5)}`],
        ['empty', false, ''],
      ],
    );
    assert.deepEqual(form.all('nothing'), []);
    assert.equal(read(`${field('a', '1')}${field('a', '2')}--b--`).all('a').length, 2);
  });

  test('what is no UTF-8 is no text', () => {
    const body = Buffer.concat([
      Buffer.from('--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'),
      Buffer.from([0xff]),
      Buffer.from('\r\n--b--'),
    ]);
    const form = read(body);
    assert.equal(form.readText(form.parts[0] ?? assert.fail()), undefined);
  });

  test('another text for a field leaves every other byte as it is', () => {
    const model = part('Content-Disposition: form-data; name="model"\r\nContent-Length: 4', 'fast');
    const [before, after] = [field('a', 'é'), field('z', '1')];
    const form = read(`${before}${model}${after}--b--`);
    const [old] = form.all('model');
    const renamed = form.withText(old ?? assert.fail(), 'gpt/ü');
    assert.equal(renamed.toString(), `${before}${field('model', 'gpt/ü')}${after}--b--`);
    assert.equal(form.contentType, 'multipart/form-data; boundary=b');
    const spaced = read(
      '--a b\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--a b--',
      'multipart/form-data; boundary="a b"',
    );
    assert.equal(spaced.contentType, 'multipart/form-data; boundary="a b"');
  });

  const refused: readonly [string, string, string][] = [
    ['nothing', '', 'malformed'],
    ['JSON', '{"model":"m"}', 'malformed'],
    ['another boundary', '--c\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--c--', 'malformed'],
    ['text before the parts', `hello\r\n${field('a', '1')}--b--`, 'malformed'],
    ['text after the parts', `${field('a', '1')}--b--\r\nhello`, 'malformed'],
    ['a line that only begins like the boundary', `${field('a', '1\r\n--bc')}--b--`, 'malformed'],
    ['lines that end in LF alone', field('a', '1').replaceAll('\r\n', '\n'), 'malformed'],
    ['no end', field('a', '1'), 'unterminated'],
    ['a part without an end', '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1', 'unterminated'],
    ['headers without an end', '--b\r\nContent-Disposition: form-data; name="a"', 'unterminated'],
    ['headers beyond all measure', part(`X: ${'x'.repeat(PART_HEAD_BYTES_MAX)}`), 'head_too_long'],
    ['too many parts', field('a', '1').repeat(FORM_PARTS_MAX + 1), 'too_many_parts'],
    ['no name', `${part('Content-Disposition: form-data')}--b--`, 'ambiguous_name'],
    ['no disposition', `${part('Content-Type: text/plain')}--b--`, 'ambiguous_name'],
    ['an attachment', `${part('Content-Disposition: attachment; name="a"')}--b--`, 'ambiguous_name'],
    ['two names', `${part('Content-Disposition: form-data; name="a"; name="b"')}--b--`, 'ambiguous_name'],
    [
      'an extended name',
      `${part(`Content-Disposition: form-data; name="a"; name*=utf-8''b`)}--b--`,
      'ambiguous_name',
    ],
    [
      'a name with an escape',
      `${part('Content-Disposition: form-data; name="a\\"b"')}--b--`,
      'ambiguous_name',
    ],
    [
      'two dispositions',
      `${part('Content-Disposition: form-data; name="a"\r\ncontent-disposition: form-data; name="b"')}--b--`,
      'ambiguous_name',
    ],
    ['a folded header', `${part('Content-Disposition: form-data;\r\n name="a"')}--b--`, 'ambiguous_name'],
    [
      'base64',
      `${part('Content-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64')}--b--`,
      'ambiguous_name',
    ],
  ];
  for (const [what, body, reason] of refused) {
    test(`${what} is refused: ${reason}`, () => {
      assert.equal(reasonOf(body), reason);
    });
  }

  test('as many parts as may be are read', () => {
    assert.equal(read(`${field('a', '1').repeat(FORM_PARTS_MAX)}--b--`).parts.length, FORM_PARTS_MAX);
  });

  test('the platform reads the same out of what is accepted', async () => {
    const name = fc.stringMatching(/^[a-z_[\]]{1,8}$/);
    const value = fc.string().filter((text) => !/\r|\n/.test(text) && text.isWellFormed());
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, value), { maxLength: 8 }), async (fields) => {
        const sent = new FormData();
        for (const each of fields) sent.append(...each);
        sent.append('file', new Blob([new Uint8Array([0, 13, 10, 45, 45, 255])]), 'a.wav');
        const request = new Response(sent);
        const type = request.headers.get('content-type') ?? '';
        const form = read(Buffer.from(await request.arrayBuffer()), type);
        assert.deepEqual(
          form.parts.slice(0, -1).map((each) => [each.name, form.readText(each)]),
          fields,
        );
        const file = form.parts.at(-1) ?? assert.fail();
        assert.deepEqual([file.isFile, file.contentEnd - file.contentStart], [true, 6]);
      }),
      { numRuns: 50 },
    );
  });

  test('whatever comes is judged, not thrown at', () => {
    const piece = fc.constantFrom(
      '--b',
      '\r\n',
      '--',
      'Content-Disposition: form-data; name="a"',
      ':',
      'x',
      '"',
      ';',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
        readForm(Buffer.from(pieces.join('')), TYPE);
      }),
      { numRuns: 500 },
    );
  });
});

describe('readBoundary', () => {
  test('is the one that a form has, in quotes or not', () => {
    assert.equal(readBoundary('multipart/form-data; boundary=----x-1'), '----x-1');
    assert.equal(readBoundary('Multipart/Form-Data; charset=utf-8; Boundary="a b:c"'), 'a b:c');
  });

  test('is none where it is not sure', () => {
    for (const type of [
      '',
      'application/json',
      'multipart/mixed; boundary=b',
      'multipart/form-data',
      'multipart/form-data; boundary=',
      'multipart/form-data; boundary="b "',
      'multipart/form-data; boundary=a; boundary=b',
      `multipart/form-data; boundary=${'b'.repeat(71)}`,
      'multipart/form-data; boundary=b\u00e9',
    ]) {
      assert.equal(readBoundary(type), undefined, type);
    }
  });
});
