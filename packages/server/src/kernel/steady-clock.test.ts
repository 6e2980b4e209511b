import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../../test/manual-clock.ts';
import { SteadyClock } from './steady-clock.ts';

const NOON = Date.UTC(2026, 10, 23, 12);
const DAY_MS = 86_400_000;

describe('steady clock', () => {
  test('a jump of a day is not followed until it has stayed for a minute, and is told once', () => {
    const source = new ManualClock(NOON);
    const jumps: number[] = [];
    const clock = new SteadyClock(source, (byMs) => jumps.push(byMs));
    source.setTo(NOON + DAY_MS);
    assert.equal(clock.nowMs(), NOON);
    source.advance(59_999);
    assert.equal(clock.nowMs(), NOON + 59_999);
    assert.equal(clock.isUnsteady, true);
    source.advance(1);
    clock.nowMs();
    assert.equal(clock.nowMs(), NOON + DAY_MS + 60_000);
    assert.equal(clock.isUnsteady, false);
    assert.deepEqual(jumps, [DAY_MS]);
  });

  test('a clock that jumps back and returns has never moved', () => {
    const source = new ManualClock(NOON);
    const clock = new SteadyClock(source, () => undefined);
    source.setTo(NOON - DAY_MS);
    assert.equal(clock.nowMs(), NOON);
    source.setTo(NOON + 10);
    assert.equal(clock.nowMs(), NOON + 10);
    assert.equal(clock.isUnsteady, false);
  });

  test('small steps are followed at once', () => {
    const source = new ManualClock(NOON);
    const clock = new SteadyClock(source, () => assert.fail('no jump'));
    source.setTo(NOON + 4_000);
    assert.equal(clock.nowMs(), NOON + 4_000);
  });
});
