import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createDraw, drawSecrets, prose } from '../../test/planted-secrets.ts';
import { MARK, MARK_DISTANCE_MAX, MATCHES_MAX, type Match, TextScanner } from './text-scanner.ts';

const draw = createDraw(7);
const [{ secret: key } = { secret: '' }] = drawSecrets(draw, 1);
const hexKey = ['sk', '0a1f5c7e9b3d2846a0c4e8f2b6d19375'].join('-');

describe('TextScanner', () => {
  test('finds the same however the text is cut into pieces', () => {
    const anyText = fc
      .record({
        seed: fc.nat(),
        gaps: fc.array(fc.tuple(fc.nat({ max: 2_000 }), fc.boolean()), { minLength: 20, maxLength: 60 }),
      })
      .map(({ seed, gaps }) => {
        const draw = createDraw(seed);
        const secrets = drawSecrets(draw, gaps.length);
        return gaps
          .map(([words, breaks], index) => {
            return `${prose(draw, words)}${breaks ? '\r\n' : ' '}${secrets[index]?.secret ?? ''} `;
          })
          .join('');
      });
    const anyPieces = fc.array(fc.integer({ min: 1, max: 90_000 }), { minLength: 1 });
    fc.assert(
      fc.property(anyText, anyPieces, (text, lengths) => {
        const found = scan(text);
        assert.deepEqual(found.map(describeMatch), locate(text, found));
        assert.deepEqual(scanPieces(text, lengths).map(describeMatch), found.map(describeMatch));
      }),
      { numRuns: 20 },
    );
  });

  test('around the border of a pass nothing is lost: the secret, what stands before it, the mark', () => {
    const end = `\n${'word '.repeat(30_000)}`;
    const space = ' '.repeat(MARK_DISTANCE_MAX - MARK.length);
    // The first pass is over all of the first piece but what is held back.
    for (let at = 68_000; at < 70_100; at += 7) {
      const start = `${'word '.repeat(at / 5)}${'.'.repeat(at % 5)}`;
      const [match, ...others] = scanPieces(`${start} ${key}${end}`, [70_000]);
      assert.deepEqual([match?.column, match?.isMarked, others.length], [at + 2, false, 0]);
      assert.deepEqual(scanPieces(`${start}-${hexKey}${end}`, [70_000]), []);
      for (const line of [`${MARK}${space}${key}`, `${key}${space}${MARK}`]) {
        assert.equal(scanPieces(`${start}${line}${end}`, [70_000])[0]?.isMarked, true);
      }
    }
  });

  test('columns count UTF-16 code units from the last line feed, whatever the line holds', () => {
    for (const before of ['', 'a', '\t', 'é', '漢字', '🔑', 'e\u{301}', '👩‍💻\u{200d}', '\r', '\u{1b}[0m']) {
      const [match] = scan(`x\n\r\n${before} "${key}"`);
      assert.deepEqual([match?.line, match?.column], [3, before.length + 3]);
      assert.equal(match?.endColumn, before.length + 3 + key.length);
    }
    assert.deepEqual(scan(`\u{feff}${key}`).map(describeMatch), ['1:1']);
  });

  test('a secret begins where a word begins, or where an escape ends', () => {
    for (const before of [
      '',
      ' ',
      '"',
      '=',
      ':',
      '/',
      '@',
      '(',
      '\\n',
      '\\t',
      '\\u0022',
      '\\x22',
      '%22',
      '%3d',
      '[31m',
      'é',
    ])
      assert.equal(scan(`${before}${hexKey}`).length, 1, before);
    for (const before of ['a', '0', '_', '-', 'task-', 'ta', '\\', 'n', '\\q', '%2'])
      assert.equal(scan(`${before}${hexKey}`).length, before === '\\' ? 1 : 0, before);
  });

  test('a Keyfold key may stand anywhere, since its checksum proves it', () => {
    for (const before of ['a', '_', '-', 'n', 'https://x/']) assert.equal(scan(`${before}${key}_`).length, 1);
    assert.equal(scan(`${key}0`).length, 0);
    assert.equal(scan(key.toLowerCase()).length, 0);
  });

  test('secrets that follow one another are all found', () => {
    const text = drawSecrets(draw, 50)
      .map(({ secret }) => secret)
      .join(',');
    assert.equal(scan(text).length, 50);
  });

  test('a mark allows what is on the same line, on either side, near enough', () => {
    const isMarked = (text: string): boolean[] => scan(text).map((match) => match.isMarked);
    assert.deepEqual(isMarked(`a = "${key}" # ${MARK}: an example`), [true]);
    assert.deepEqual(isMarked(`/* ${MARK} */ a = "${key}"`), [true]);
    assert.deepEqual(isMarked(`${MARK}\n${key}\n${MARK}`), [false]);
    assert.deepEqual(isMarked(`${key} ${' '.repeat(MARK_DISTANCE_MAX)}${MARK}`), [false]);
    const far = `${'x '.repeat(40_000)}"${key}" // ${MARK}\n${'x '.repeat(80_000)}`;
    assert.deepEqual(
      scanPieces(far, [70_000]).map((match) => match.isMarked),
      [true],
    );
  });

  test('a text of nothing but secrets does not fill the memory', () => {
    const scanner = new TextScanner();
    const block = Buffer.from(`${key}\n`.repeat(5_000));
    for (let count = 0; count < 5; count++) scanner.write(block);
    assert.equal(scanner.end().length, MATCHES_MAX);
  });

  test('what begins as a secret does over and over again takes no longer', () => {
    for (const text of ['sk-', 'sk-proj-', 'kf_live_', 'sk-ant-api03-a', `sk-${'0'.repeat(31)}`, '\\u00']) {
      const scanner = new TextScanner();
      scanner.write(Buffer.from(text.repeat(4_000_000 / text.length)));
      const before = process.cpuUsage();
      assert.equal(scanner.end().length, 0);
      const { user } = process.cpuUsage(before);
      assert.ok(user < 4_000_000, `${text}: ${user} µs for 4 MB`);
    }
  });
});

function scan(text: string): readonly Match[] {
  return scanPieces(text, [Number.MAX_SAFE_INTEGER]);
}

function scanPieces(text: string, lengths: readonly number[]): readonly Match[] {
  const scanner = new TextScanner();
  const bytes = Buffer.from(text);
  for (let start = 0, count = 0; start < bytes.length; count++) {
    const end = start + (lengths[count % lengths.length] ?? 1);
    scanner.write(bytes.subarray(start, end));
    start = end;
  }
  return scanner.end();
}

function describeMatch({ line, column }: Match): string {
  return `${line}:${column}`;
}

/** Where the matches are, found by other means. */
function locate(text: string, matches: readonly Match[]): string[] {
  let from = 0;
  return matches.map(({ secret }) => {
    const index = text.indexOf(secret, from);
    from = index + secret.length;
    const before = text.slice(0, index).split('\n');
    return `${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
  });
}
