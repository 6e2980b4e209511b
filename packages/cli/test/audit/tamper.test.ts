import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { LogSigner } from '../../../server/test/audit/log-signer.ts';
import { createRandom } from '../../../server/test/seeded-random.ts';
import type { CheckpointBook } from '../../src/audit/verify/checkpoint-book.ts';
import type { Report } from '../../src/audit/verify/verification.ts';
import { makeRealRecords } from './real-records.ts';
import { bookOf, bookOfFile, chainAgain, renderLog, verifyBytes } from './stored-log.ts';
import { type SignedLog, TAMPERINGS, type Tampered, renderRaw, tamper } from './tampering.ts';

const SEED = 20_261_123;
const TRIALS = 10_000;
/** Between two checkpoints, and after the last. */
const RECORDS_PER_CHECKPOINT = 7;
const UNCOVERED = 3;

describe('a log that was tampered with', () => {
  let log: SignedLog;
  let book: CheckpointBook;
  const signer = new LogSigner();

  before(async () => {
    const records = await makeRealRecords();
    // Two nodes, as of a cluster: the chains differ by the node's number alone.
    const rows = [chainAgain(records, 1), chainAgain(records.slice(0, 33), 2)].flat();
    const sizes = new Map(
      [1, 2].map((node) => {
        const size = rows.filter((each) => each.node === node).length - UNCOVERED;
        const all = Array.from({ length: size }, (_, index) => index + 1);
        return [node, all.filter((each) => each % RECORDS_PER_CHECKPOINT === 0 || each === size)] as const;
      }),
    );
    const signed = rows.filter(({ node, sequence }) => sizes.get(node)?.includes(sequence));
    const notes = signed.map((row) => ({ node: row.node, note: signer.sign(row) }));
    const notesOf = (node: number) => notes.filter((each) => each.node === node).map(({ note }) => note);
    log = { rows, sizes, notes: new Map([1, 2].map((node) => [node, notesOf(node)])) };
    book = bookOf(
      notes.map(({ note }) => note),
      signer.verifierKey,
    );
    assert.ok(!book.isTampered && !book.isIncomplete && signed.length > 10);
  });

  test('as long as nobody touched it, it is intact, in whatever pieces it is read', () => {
    for (const pieceBytes of [1, 7, 100, 4_096, 1_000_000]) {
      const report = verifyBytes([renderLog(log.rows)], book, { pieceBytes });
      assert.equal(report.result, 'intact');
      assert.deepEqual(
        report.nodes.map(({ uncovered }) => uncovered),
        [UNCOVERED, UNCOVERED],
      );
    }
  });

  test('an untouched log verifies wherever it ends behind its newest checkpoint', () => {
    for (let end = 0; end <= UNCOVERED; end++) {
      const rows = log.rows.filter(
        ({ node, sequence }) => sequence <= (log.sizes.get(node)?.at(-1) ?? 0) + end,
      );
      assert.equal(verifyBytes([renderLog(rows)], book).result, 'intact');
    }
  });

  test(`is found out in each of ${TRIALS} ways, with the first bad record`, (context) => {
    const random = createRandom(SEED);
    const draw = (bound: number) => Math.floor(random() * bound);
    const found = new Map<string, number>();
    for (let trial = 0; trial < TRIALS; trial++) {
      const kind = TAMPERINGS[trial % TAMPERINGS.length] ?? 'delete';
      let tampered = tamper(log, kind, draw);
      while (isUncoveredEnd(log, kind, tampered)) tampered = tamper(log, kind, draw);
      const { rows, more, checkpoints } = tampered;
      const files = [rows, ...(more === undefined ? [] : [more])].map(renderRaw);
      const report = verifyBytes(
        files,
        checkpoints === undefined ? book : bookOfFile(checkpoints, signer.verifierKey),
      );
      assert.notEqual(report.result, 'intact', `${kind} in trial ${trial}`);
      assert.deepEqual(findWrong(report, tampered), [], `${kind} in trial ${trial}`);
      found.set(kind, (found.get(kind) ?? 0) + 1);
    }
    context.diagnostic(`found out: ${[...found].map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
    assert.equal(found.size, TAMPERINGS.length);
  });
});

/** Records that are taken from the end, behind the newest checkpoint, leave nothing that could tell. */
function isUncoveredEnd({ rows, sizes }: SignedLog, kind: string, { firstBad }: Tampered): boolean {
  if (kind !== 'delete') return false;
  const [[node, { from }] = [0, { from: 0 }]] = firstBad;
  return (
    from > (sizes.get(node)?.at(-1) ?? 0) && from + 2 >= rows.filter((each) => each.node === node).length
  );
}

/** Nodes whose first bad record is not the one that is expected. */
function findWrong({ nodes }: Report, { firstBad }: Tampered): string[] {
  const wrong: string[] = [];
  for (const [node, { from, to }] of firstBad) {
    const bad = nodes.find((each) => each.node === node)?.bad;
    const isRight =
      bad?.reason === 'rewritten' || from < to
        ? bad !== undefined &&
          bad.sequence <= to &&
          (bad.through ?? bad.sequence) >= from &&
          bad.sequence >= from
        : bad?.sequence === from;
    if (!isRight) wrong.push(`node ${node}: ${JSON.stringify(bad)} instead of ${from} to ${to}`);
  }
  return wrong;
}
