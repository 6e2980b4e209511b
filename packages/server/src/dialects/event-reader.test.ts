import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { SentEvent } from './dialect.ts';
import { EVENT_CHARACTERS_MAX, EventReader } from './event-reader.ts';

const STREAM = [
  ': a comment\n\n',
  'event: first\ndata: {"text":"héllo 世界 🌍"}\n\n',
  'data: one\r\ndata:two\r\ndata\r\n\r\n',
  'id: 7\rretry: 10\revent: third\rdata:  two spaces\r\r',
  'data: a: b\nunknown: x\ndatax: y\n\n',
  'event: of nothing\n\n',
  'data: last',
].join('');

const EVENTS: readonly SentEvent[] = [
  { name: 'first', data: '{"text":"héllo 世界 🌍"}' },
  { name: '', data: 'one\ntwo\n' },
  { name: 'third', data: ' two spaces' },
  { name: '', data: 'a: b' },
  { name: '', data: 'last' },
];

function read(...chunks: readonly (Buffer | string)[]): SentEvent[] {
  const reader = new EventReader();
  const events = chunks.flatMap((chunk) => reader.push(Buffer.from(chunk as Buffer)));
  return [...events, ...reader.finish()];
}

describe('EventReader', () => {
  test('reads events as the standard says, whatever ends their lines', () => {
    assert.deepEqual(read(STREAM), EVENTS);
  });

  test('reads the same wherever the stream is cut, between any two bytes', () => {
    const bytes = Buffer.from(STREAM);
    for (let cut = 0; cut <= bytes.length; cut++) {
      assert.deepEqual(read(bytes.subarray(0, cut), bytes.subarray(cut)), EVENTS, `cut at ${cut}`);
    }
    assert.deepEqual(read(...Array.from(bytes, (byte) => Buffer.from([byte]))), EVENTS);
  });

  test('reads back whatever was written as events, in pieces of any size', () => {
    const line = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n\uFEFF]/g, ''));
    const data = fc.array(line, { minLength: 1 }).map((lines) => lines.join('\n'));
    const event = fc.record({ name: line, data }, { noNullPrototype: true });
    const written = fc.record({
      events: fc.array(event),
      end: fc.constantFrom('\n', '\r\n', '\r'),
      size: fc.integer({ min: 1, max: 40 }),
    });
    fc.assert(
      fc.property(written, ({ events, end, size }) => {
        const stream = events.map(({ name, data }) =>
          [`event: ${name}`, ...data.split('\n').map((each) => `data: ${each}`), '', ''].join(end),
        );
        const bytes = Buffer.from(stream.join(''));
        const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_chunk, index) =>
          bytes.subarray(index * size, (index + 1) * size),
        );
        assert.deepEqual(read(...chunks), events);
      }),
    );
  });

  test('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (chunks) => {
        for (const { data } of read(...chunks.map((chunk) => Buffer.from(chunk))))
          assert.equal(typeof data, 'string');
      }),
    );
  });

  test('gives an event as soon as its blank line has come, and does not wait for a line feed', () => {
    const reader = new EventReader();
    assert.deepEqual(reader.push(Buffer.from('data: a\r\r')), [{ name: '', data: 'a' }]);
    assert.deepEqual(reader.push(Buffer.from('\ndata: b\n\n')), [{ name: '', data: 'b' }]);
  });

  test('passes over a byte order mark at the start, and there alone', () => {
    assert.deepEqual(read('\uFEFFdata: a\n\n\uFEFFdata: b\n\n'), [{ name: '', data: 'a' }]);
  });

  test('gives up an event that is over the limit, in one line or in many, and all after it', () => {
    const half = Buffer.alloc(EVENT_CHARACTERS_MAX / 2, 'a');
    for (const between of ['', '\ndata: ']) {
      const reader = new EventReader();
      assert.deepEqual(reader.push(Buffer.from('data: whole\n\ndata: ')), [{ name: '', data: 'whole' }]);
      for (const chunk of [half, between, half, 'a']) assert.deepEqual(reader.push(Buffer.from(chunk)), []);
      assert.equal(reader.isTooLong, true);
      assert.deepEqual([...reader.push(Buffer.from('\n\ndata: b\n\n')), ...reader.finish()], []);
    }
  });

  test('gives up an event of too many lines, however short they are', () => {
    const reader = new EventReader(1_000);
    reader.push(Buffer.from('data:\n'.repeat(1_000)));
    assert.equal(reader.isTooLong, false);
    reader.push(Buffer.from('data:\n'));
    assert.equal(reader.isTooLong, true);
  });

  test('any number of events may be as long together as they like', () => {
    const reader = new EventReader();
    const event = Buffer.from(`data: ${'a'.repeat(EVENT_CHARACTERS_MAX / 4)}\n\n`);
    for (let count = 0; count < 8; count++) assert.equal(reader.push(event).length, 1);
    assert.equal(reader.isTooLong, false);
  });

  test('reads a long event in small pieces without going over it again and again', () => {
    const reader = new EventReader();
    const piece = Buffer.alloc(4_096, 'a');
    const pieces = 4_096;
    const startMs = performance.now();
    reader.push(Buffer.from('data: '));
    for (let count = 0; count < pieces; count++) reader.push(piece);
    const [event] = reader.push(Buffer.from('\n\n'));
    assert.equal(event?.data.length, pieces * piece.length);
    // A tenth of a second; to go over all of it for each piece takes half a minute.
    assert.ok(performance.now() - startMs < 5_000, `${performance.now() - startMs} ms`);
  });
});
