import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { CLAIMS_KEPT_MS } from '../statement.ts';
import { ClaimIndex } from './claim-index.ts';

function valueOf(name: number): string {
  return createHash('sha256').update(String(name)).digest().subarray(0, 12).toString('base64url');
}

describe('the index of live claims', () => {
  test('it answers as a set of all values would, whatever is claimed, undone and settled', () => {
    const step = fc.oneof(
      { weight: 8, arbitrary: fc.nat(400) },
      { weight: 2, arbitrary: fc.constant('mark' as const) },
      { weight: 2, arbitrary: fc.constant('undo' as const) },
      { weight: 1, arbitrary: fc.constant('settle' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 600 }), (steps) => {
        let nowMs = 0;
        const index = new ClaimIndex(() => nowMs);
        const settled = new Set<number>();
        let pending: number[] = [];
        let mark = 0;
        for (const each of steps) {
          nowMs += 10;
          if (each === 'mark') mark = index.mark();
          else if (each === 'undo') {
            index.undoTo(mark);
            pending = pending.slice(0, mark);
          } else if (each === 'settle') {
            index.settle();
            for (const name of pending) settled.add(name);
            pending = [];
            mark = 0;
          } else {
            const isNew = !settled.has(each) && !pending.includes(each);
            assert.equal(index.add(valueOf(each)), isNew);
            if (isNew) pending.push(each);
          }
          assert.deepEqual(index.pending, pending.map(valueOf));
        }
      }),
    );
  });

  test('a claim is found for its whole time, and forgotten not much later', () => {
    const claimedMs = 300_000;
    let nowMs = claimedMs;
    const index = new ClaimIndex(() => nowMs);
    for (let name = 0; name < 10_000; name++) assert.equal(index.add(valueOf(name)), true);
    index.settle();
    nowMs = claimedMs + CLAIMS_KEPT_MS;
    index.settle();
    assert.equal(index.add(valueOf(1)), false);
    nowMs = claimedMs + 1.6 * CLAIMS_KEPT_MS;
    index.settle();
    assert.equal(index.add(valueOf(1)), true);
  });

  test('a hundred thousand claims are told apart, also when most of them are undone again', () => {
    const index = new ClaimIndex(() => 0);
    for (let round = 0; round < 5; round++) {
      const mark = index.mark();
      for (let name = 0; name < 100_000; name++) assert.equal(index.add(valueOf(name)), true);
      for (let name = 0; name < 100_000; name += 7) assert.equal(index.add(valueOf(name)), false);
      index.undoTo(mark);
    }
    assert.equal(index.add(valueOf(1)), true);
  });
});
