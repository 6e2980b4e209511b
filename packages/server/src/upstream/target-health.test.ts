import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ManualClock } from '../../test/manual-clock.ts';
import { type BreakerLimits, TargetHealth } from './target-health.ts';

const LIMITS: BreakerLimits = {
  failuresMax: 3,
  openMs: 1_000,
  openMaxMs: 3_000,
  probeMs: 500,
  entriesMax: 2,
};

function start() {
  const clock = new ManualClock();
  const health = new TargetHealth(clock, LIMITS);
  const fail = (count: number, target = 'a') => {
    for (let each = 0; each < count; each++) health.failed(target, 'server');
  };
  return { clock, health, fail };
}

describe('a breaker', () => {
  test('opens after so many failures in a row, and a success in between begins the count anew', () => {
    const { health, fail } = start();
    fail(2);
    health.succeeded('a');
    fail(2);
    assert.ok(health.isAvailable('a'));
    fail(1);
    assert.ok(!health.isAvailable('a'));
    assert.deepEqual(health.healthOf('a'), { state: 'open', reason: 'server', restMs: 1_000 });
    assert.ok(health.isAvailable('b'));
  });

  test('half-open, lets one call probe the target at a time, and one that never ends does not block for good', () => {
    const { clock, health, fail } = start();
    fail(3);
    clock.advance(1_000);
    assert.equal(health.healthOf('a').state, 'half_open');
    assert.ok(health.isAvailable('a'));
    health.began('a');
    assert.ok(!health.isAvailable('a'));
    clock.advance(500);
    assert.ok(health.isAvailable('a'));
  });

  test('closes when a probe succeeds', () => {
    const { clock, health, fail } = start();
    fail(3);
    clock.advance(1_000);
    health.began('a');
    health.succeeded('a');
    assert.deepEqual(health.healthOf('a'), { state: 'closed', reason: undefined, restMs: 0 });
  });

  test('opens for twice as long after each probe that fails, up to a bound', () => {
    const { clock, health, fail } = start();
    fail(3);
    for (const openMs of [2_000, 3_000, 3_000]) {
      clock.advance(health.healthOf('a').restMs);
      health.began('a');
      fail(1);
      assert.equal(health.healthOf('a').restMs, openMs);
    }
  });

  test('is not held open longer by calls that were sent before it opened', () => {
    const { health, fail } = start();
    fail(30);
    assert.equal(health.healthOf('a').restMs, 1_000);
  });

  test('learns nothing from a probe whose client left: the next call may probe', () => {
    const { clock, health, fail } = start();
    fail(3);
    clock.advance(1_000);
    health.began('a');
    health.toldNothing('a');
    assert.ok(health.isAvailable('a'));
    assert.equal(health.healthOf('a').state, 'half_open');
  });
});

describe('a rest', () => {
  test('lasts as long as the provider said, and counts as no failure', () => {
    const { clock, health } = start();
    for (let each = 0; each < 5; each++) health.rest('a', 200, 'rate_limit');
    assert.deepEqual(health.healthOf('a'), { state: 'closed', reason: 'rate_limit', restMs: 200 });
    clock.advance(200);
    assert.ok(health.isAvailable('a'));
    health.failed('a', 'server');
    assert.ok(health.isAvailable('a'));
  });
});

test('no more targets are remembered than the bound, and the one that failed longest ago is forgotten', () => {
  const { health, fail } = start();
  fail(3, 'a');
  fail(3, 'b');
  fail(3, 'c');
  assert.ok(health.isAvailable('a'));
  assert.ok(!health.isAvailable('b') && !health.isAvailable('c'));
  health.forget('b');
  assert.ok(health.isAvailable('b'));
});
