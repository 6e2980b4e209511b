import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LogSigner } from '../../../../server/test/audit/log-signer.ts';
import { headText } from '../../../../server/src/storage/audit-chain.ts';
import { bookOf, chainAgain, renderLog, verifyBytes } from '../../../test/audit/stored-log.ts';
import { LINE_BYTES_MAX, LineCutter } from './line-cutter.ts';
import { NoteReader } from './note-reader.ts';

const signer = new LogSigner();
const BODIES = Array.from({ length: 20 }, (_, index) => `"action":"key.created","target":"key_${index}"}`);
const rows = chainAgain(BODIES, 1);
const noteAt = (size: number) => signer.sign(rows[size - 1] ?? assert.fail());
const NOTES = [5, 10, 15, 18].map(noteAt);
const verify = (bytes: Buffer, notes = NOTES, isPart = false) =>
  verifyBytes([bytes], bookOf(notes, signer.verifierKey), { isPart });
const log = () => renderLog(rows);
const badOf = (bytes: Buffer) => {
  const { result, nodes } = verify(bytes);
  return [result, nodes[0]?.bad?.sequence, nodes[0]?.bad?.reason];
};

describe('input that is no export', () => {
  const lines = log().toString('utf8').split('\n');
  const replaceLine = (line: Buffer | string) =>
    Buffer.concat([
      Buffer.from(`${lines.slice(0, 6).join('\n')}\n`),
      Buffer.from(line),
      Buffer.from(`\n${lines.slice(7).join('\n')}`),
    ]);
  const line = lines[6] ?? '';
  for (const [what, bytes] of [
    ['an empty line', ''],
    ['no JSON', 'nonsense'],
    ['JSON of another kind', '{"sequence":7}'],
    ['a carriage return', `${line}\r`],
    ['a NUL', Buffer.alloc(70)],
    ['a head that is too short', line.replace('"head":"', '"head":"x')],
    ['a number with a sign', line.replace('"sequence":7', '"sequence":-7')],
    ['a number without end', line.replace('"sequence":7', `"sequence":${'7'.repeat(400)}`)],
    ['a space that was not there', line.replace('","record', '", "record')],
  ] as const) {
    test(`${what} is the first bad record`, () => {
      assert.deepEqual(badOf(replaceLine(bytes)), ['tampered', 7, 'not_a_record']);
    });
  }

  test('a line longer than any record is bad and takes no memory', () => {
    const long = Buffer.alloc(3 * LINE_BYTES_MAX, 'x');
    assert.deepEqual(badOf(replaceLine(long)), ['tampered', 7, 'too_long']);
  });

  test('bytes that are no UTF-8 change a record like any other', () => {
    const bytes = Buffer.from(line);
    bytes[bytes.length - 5] = 0xff;
    assert.deepEqual(badOf(replaceLine(bytes)), ['tampered', 7, 'changed']);
  });

  test('a file that ends in the middle of a line is cut off', () => {
    assert.deepEqual(badOf(log().subarray(0, -1)), ['tampered', 20, 'cut_off']);
  });

  test('an empty file is not intact, with checkpoints or without', () => {
    assert.deepEqual(badOf(Buffer.alloc(0)), ['tampered', 1, 'truncated']);
    assert.equal(verify(Buffer.alloc(0), []).result, 'incomplete');
  });

  test('a cutter never holds more than a line may have', () => {
    const seen: string[] = [];
    const cutter = new LineCutter((bytes, end) => seen.push(`${bytes.length} ${end}`));
    for (let piece = 0; piece < 40; piece++) cutter.push(Buffer.alloc(100_000));
    cutter.push(Buffer.from('\nab\n\nc'));
    cutter.finish();
    assert.deepEqual(seen, ['0 too_long', '2 line_feed', '0 line_feed', '1 cut_off']);
  });
});

describe('where a log begins and ends', () => {
  test('a log that begins after a checkpoint is incomplete, unless a part is asked for; elsewhere it always is', () => {
    const [fromSix, fromEight] = [rows.slice(5), rows.slice(7)].map(renderLog);
    const whole = verify(fromSix ?? assert.fail());
    assert.deepEqual([whole.result, whole.nodes[0]?.first, whole.nodes[0]?.matched], ['incomplete', 6, 3]);
    assert.equal(verify(fromSix ?? assert.fail(), NOTES, true).result, 'intact');
    for (const isPart of [false, true]) {
      const { result, nodes } = verify(fromEight ?? assert.fail(), NOTES, isPart);
      assert.equal(result, 'incomplete');
      assert.deepEqual(nodes[0]?.bad, { sequence: 1, through: 7, reason: 'beginning_missing' });
    }
  });

  test('what was forged behind the newest checkpoint, with all before it deleted, is never intact', () => {
    const { sequence, head } = rows[17] ?? assert.fail();
    const forged = chainAgain(BODIES.slice(0, 4), 1, { sequence, head: headText(head) });
    for (const isPart of [false, true]) {
      const { result, nodes } = verify(renderLog(forged), NOTES, isPart);
      assert.deepEqual([result, nodes[0]?.first, nodes[0]?.matched], ['incomplete', 19, 0]);
    }
  });

  test('several files are one log, also where they overlap, and never where they differ', () => {
    const book = () => bookOf(NOTES, signer.verifierKey);
    const files = (...cuts: readonly (readonly [number, number])[]) =>
      verifyBytes(
        cuts.map(([from, to]) => renderLog(rows.slice(from, to))),
        book(),
      );
    for (const cuts of [
      [
        [0, 10],
        [10, 20],
      ],
      [
        [0, 10],
        [5, 20],
      ],
      [
        [0, 20],
        [5, 10],
      ],
      [
        [0, 15],
        [0, 5],
        [15, 20],
      ],
    ] as const) {
      const { result, nodes } = files(...cuts);
      assert.deepEqual([result, nodes[0]?.records, nodes[0]?.matched], ['intact', 20, 4], String(cuts));
    }
    const other = chainAgain(BODIES.with(11, '"action":"forged"}'), 1).slice(10);
    const differing = verifyBytes([renderLog(rows), renderLog(other)], book());
    assert.equal(differing.result, 'tampered');
    assert.deepEqual(files([0, 10], [12, 20]).nodes[0]?.bad?.reason, 'removed');
  });

  test('what a further file repeats from no signed head, or to none, is not proven by the file before', () => {
    const headOfFour = rows[3]?.head ?? assert.fail();
    const seven = { sequence: 6, head: headText(headOfFour) };
    const forged = chainAgain(['"action":"forged"}', '"action":"forged"}'], 1, seven);
    for (const [file, from, through] of [
      [forged.slice(0, 1).map((row) => ({ ...row, head: headOfFour })), 7, 7],
      [forged, 7, 8],
      [
        chainAgain(['"action":"forged"}'], 1, { sequence: 10, head: headText(rows[9]?.head ?? headOfFour) }),
        11,
        11,
      ],
      [rows.slice(7), 8, 8],
      [rows.slice(5, 8), 6, 8],
    ] as const) {
      const { result, nodes } = verifyBytes(
        [renderLog(rows), renderLog(file)],
        bookOf(NOTES, signer.verifierKey),
      );
      assert.equal(result, 'incomplete');
      assert.deepEqual(nodes[0]?.bad, { sequence: from, through, reason: 'not_covered' });
    }
  });

  test('of a part that comes to no checkpoint nothing is proven, and what ends behind one is counted', () => {
    const parts = (...cuts: readonly (readonly [number, number])[]) =>
      verifyBytes(
        cuts.map(([from, to]) => renderLog(rows.slice(from, to))),
        bookOf(NOTES, signer.verifierKey),
        { isPart: true },
      );
    assert.equal(parts([5, 8], [10, 16]).result, 'incomplete');
    const { result, nodes } = parts([0, 8], [10, 17]);
    assert.deepEqual([result, nodes[0]?.uncovered], ['intact', 3 + 2]);
  });

  test('of a part nothing beyond it is missed', () => {
    const book = bookOf(NOTES, signer.verifierKey);
    const part = [renderLog(rows.slice(0, 6)), renderLog(rows.slice(10, 16))];
    assert.equal(verifyBytes(part, book, { isPart: true }).result, 'intact');
    assert.equal(verifyBytes(part, book).result, 'tampered');
  });
});

describe('checkpoints', () => {
  test('of one size with different heads are two histories, also when both are signed', () => {
    const [other = assert.fail()] = chainAgain(['"action":"forged"}'], 1);
    const book = bookOf([...NOTES, signer.sign({ ...other, sequence: 10 })], signer.verifierKey);
    assert.equal(verifyBytes([log()], book).result, 'tampered');
    assert.deepEqual(
      book.problems.map(({ reason, size }) => [reason, size]),
      [['two_histories', 10]],
    );
  });

  test('that were signed for another size, or by nobody, do not hold', () => {
    for (const note of [noteAt(5).replace('\n5\n', '\n6\n'), noteAt(5).replace('/node/1', '/node/2')]) {
      const book = bookOf([note], signer.verifierKey);
      assert.deepEqual([book.isTampered, book.problems[0]?.reason], [true, 'bad_signature']);
    }
  });

  test('by another key, cut off, or of something else leave it open what they say', () => {
    const other = new LogSigner('keyfold-other').sign(rows[4] ?? assert.fail());
    for (const [note, reason] of [
      [other, 'unknown_key'],
      [noteAt(5).slice(0, -10), 'not_a_note'],
      ['nonsense', 'not_a_note'],
    ] as const) {
      const book = bookOf([...NOTES, note], signer.verifierKey);
      assert.equal(book.problems[0]?.reason, reason);
      assert.equal(verifyBytes([log()], book).result, 'incomplete');
    }
  });

  test('a node that has checkpoints and no records was cut off', () => {
    const ofTwo = signer.sign({ ...(rows[4] ?? assert.fail()), node: 2 });
    const { result, nodes } = verify(log(), [...NOTES, ofTwo]);
    assert.equal(result, 'tampered');
    assert.deepEqual(nodes[1]?.bad, { sequence: 1, reason: 'truncated' });
  });

  test('are found in a file in whatever pieces it comes, and among JSON lines', () => {
    const file = Buffer.from(
      `\n${NOTES.map((note) => `${note}\n`).join('')}${JSON.stringify({ note: NOTES[0], size: 5 })}\n${NOTES[1]}`,
    );
    for (const pieceBytes of [1, 10, 1_000_000]) {
      const seen: string[] = [];
      const reader = new NoteReader({ onNote: (note) => seen.push(note), onTorn: assert.fail });
      for (let at = 0; at < file.length; at += pieceBytes) reader.push(file.subarray(at, at + pieceBytes));
      reader.finish();
      assert.deepEqual(seen, [...NOTES, NOTES[0], NOTES[1]]);
    }
  });

  test('that were cut off anywhere hide none of those that follow, and are no error there', () => {
    const [first = '', ...rest] = NOTES;
    for (let cut = 1; cut < first.length - 1; cut++) {
      for (const opening of ['\n', '\n\n', '\n\n\n']) {
        const book = bookOf([], signer.verifierKey);
        const reader = new NoteReader({
          onNote: (note) => book.add(note, 'file'),
          onTorn: () => book.addTorn('file'),
        });
        reader.push(Buffer.from(first.slice(0, cut) + opening + rest.map((note) => `${note}\n`).join('')));
        reader.finish();
        assert.deepEqual([...book.headsOf(1).keys()], [10, 15, 18], `${cut}`);
        assert.deepEqual(
          [book.isIncomplete, book.isTampered, book.problems.map(({ reason }) => reason)],
          [false, false, ['torn']],
        );
      }
    }
  });

  test('that are cut off at the end leave it open what they say', () => {
    for (const cut of [3, 50, 150]) {
      const seen: string[] = [];
      const reader = new NoteReader({ onNote: (note) => seen.push(note), onTorn: assert.fail });
      reader.push(Buffer.from(`${NOTES[0]}\n${(NOTES[1] ?? '').slice(0, cut)}`));
      reader.finish();
      assert.deepEqual(seen, [NOTES[0], (NOTES[1] ?? '').slice(0, cut)]);
    }
  });

  test('a file that is none gives notes that are none, and bounded ones', () => {
    const seen: string[] = [];
    const reader = new NoteReader({ onNote: (note) => seen.push(note), onTorn: assert.fail });
    for (let piece = 0; piece < 100; piece++) reader.push(Buffer.alloc(100_000, 'x\n'));
    reader.push(Buffer.alloc(500_000, 'y'));
    reader.finish();
    assert.ok(seen.length > 0 && seen.every((note) => note.length < 100_000));
  });
});
