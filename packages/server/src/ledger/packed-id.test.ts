import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../test/manual-clock.ts';
import { createNewId } from '../kernel/new-id.ts';
import { SystemRandom } from '../kernel/random.ts';
import { findPacked, firstPackedAt, packId, unpackId } from './packed-id.ts';

const time = fc.integer({ min: 0, max: 2 ** 48 - 1 });

function mint(atMs: number): string {
  return createNewId(new ManualClock(atMs), new SystemRandom())('reservation');
}

describe('packed ids', () => {
  test('an id that was minted comes back as it was, from 16 bytes', () => {
    fc.assert(
      fc.property(time, (atMs) => {
        const id = mint(atMs);
        const packed = packId(id);
        assert.match(packed, /^[0-9a-f]{32}$/);
        assert.equal(unpackId('reservation', packed), id);
        assert.equal(Number.parseInt(packed.slice(0, 12), 16), atMs);
      }),
    );
  });

  test('packed ids sort as their texts do, and none of a time sorts before the first of that time', () => {
    fc.assert(
      fc.property(time, time, (a, b) => {
        const [first, second] = [mint(a), mint(b)];
        assert.equal(packId(first) < packId(second), first < second);
        assert.ok(packId(first) >= firstPackedAt(a));
      }),
    );
  });

  test('what is no id of the kind is found nowhere', () => {
    const id = mint(1_700_000_000_000);
    assert.equal(findPacked('reservation', id), packId(id));
    const wrong = [
      '',
      'res_',
      'res_none',
      `${id}0`,
      id.slice(0, -1),
      id.replace('res', 'req'),
      id.toUpperCase(),
    ];
    for (const text of [...wrong, `res_8${id.slice(5)}`, `res_${'u'.repeat(26)}`]) {
      assert.equal(findPacked('reservation', text), undefined, text);
    }
    assert.throws(() => packId('res_none'), TypeError);
  });
});
