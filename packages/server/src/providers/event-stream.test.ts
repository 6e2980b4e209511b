import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { EVENT_BYTES_MAX, EventSplitter, mayHaveValue, NONE, parseEventData } from './event-stream.ts';

/** The events found, `undefined` for one over the limit, and what is left at the end. */
function split(
  stream: Buffer,
  cuts: readonly number[] = [],
): { events: (string | undefined)[]; rest?: string } {
  const splitter = new EventSplitter();
  const events: (string | undefined)[] = [];
  let begin = 0;
  for (const cut of [...cuts, stream.length]) {
    const chunk = stream.subarray(begin, cut);
    let from = 0;
    for (let end = splitter.findEnd(chunk, 0); end !== NONE; end = splitter.findEnd(chunk, end)) {
      events.push(splitter.take(chunk, from, end)?.toString('latin1'));
      from = end;
    }
    if (from < chunk.length) splitter.keep(chunk, from);
    begin = cut;
  }
  const rest = splitter.takeUnended()?.toString('latin1');
  return rest === undefined ? { events } : { events, rest };
}

describe('EventSplitter', () => {
  test('an event ends with a blank line, of either line ending', () => {
    assert.deepEqual(split(Buffer.from('a\nb\n\nc\r\n\r\n\nd\n')), {
      events: ['a\nb\n\n', 'c\r\n\r\n', '\n'],
      rest: 'd\n',
    });
  });

  test('wherever the stream is cut, the events are the same and lose no byte', () => {
    const piece = fc.constantFrom('\n', '\r', '\r\n', 'data: x', '\n\n', 'é');
    fc.assert(
      fc.property(fc.array(piece), fc.array(fc.nat(60)), (pieces, at) => {
        const stream = Buffer.from(pieces.join(''));
        const whole = split(stream);
        const cuts = at.map((cut) => Math.min(cut, stream.length)).sort((left, right) => left - right);
        assert.deepEqual(split(stream, cuts), whole);
        assert.equal([...whole.events, whole.rest].join(''), stream.toString('latin1'));
      }),
      { numRuns: 1000 },
    );
  });

  test('an event over the limit is let go at once, and the next is found', () => {
    const stream = Buffer.from(`${'x'.repeat(EVENT_BYTES_MAX)}\n\nnext\n\n`);
    for (const cuts of [[], [10], [EVENT_BYTES_MAX], [EVENT_BYTES_MAX + 1], [10, EVENT_BYTES_MAX + 2]]) {
      assert.deepEqual(split(stream, cuts), { events: [undefined, 'next\n\n'] });
    }
    const splitter = new EventSplitter();
    assert.equal(splitter.keep(Buffer.alloc(EVENT_BYTES_MAX), 0), true);
    assert.equal(splitter.hadTooLong, false);
    assert.equal(splitter.keep(Buffer.alloc(1), 0), false);
    assert.deepEqual([splitter.hadTooLong, splitter.held], [true, []]);
    assert.equal(splitter.takeUnended(), undefined);
  });

  test('an event of just the limit is looked into', () => {
    const stream = Buffer.from(`${'x'.repeat(EVENT_BYTES_MAX - 2)}\n\n`);
    assert.equal(split(stream).events[0]?.length, EVENT_BYTES_MAX);
  });
});

describe('mayHaveValue', () => {
  const key = Buffer.from('"usage"');
  test('tells a field with a value from null, from an escaped text and from a value of that name', () => {
    for (const yes of ['{"usage":{}}', '{"usage"\t: 7', '{"usage":null,"x":{"usage":1}}']) {
      assert.equal(mayHaveValue(Buffer.from(yes), key), true, yes);
    }
    for (const no of ['{"usage":null}', '{"usage" : null', '{"a":"\\"usage\\":{}"}', '{"a":"usage"}', '']) {
      assert.equal(mayHaveValue(Buffer.from(no), key), false, no);
    }
  });
});

describe('parseEventData', () => {
  test('joins the data lines of an event', () => {
    const event = 'event: x\r\ndata: {"a":\r\ndata:1}\nid: 7\n\n';
    assert.deepEqual(parseEventData(Buffer.from(event)), { a: 1 });
  });

  test('anything but an object is nothing', () => {
    for (const event of [
      '',
      'data: \n\n',
      'data: 7\n\n',
      'data: null\n\n',
      'data: {"a":\n\n',
      '{"a":1}\n\n',
    ]) {
      assert.equal(parseEventData(Buffer.from(event)), undefined);
    }
  });
});
