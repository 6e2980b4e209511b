import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ClockCorrection } from './clock-correction.ts';

const NOW_S = 1_700_000_000;
const DAY_S = 24 * 3600;

describe('the correction of the clock', () => {
  const refusalAt = (timeS: number | string, status = 401) => ({
    status,
    headers: new Headers({ 'x-keyfold-time': String(timeS) }),
  });

  test('a 401 that tells another time sets the clock by it', () => {
    const clock = new ClockCorrection(() => NOW_S * 1000);
    assert.equal(clock.learnFrom(refusalAt(NOW_S + 600), clock.offsetMs), true);
    assert.equal(clock.nowMs(), (NOW_S + 600) * 1000);
    assert.equal(clock.learnFrom(refusalAt(NOW_S - 30), clock.offsetMs), true);
    assert.equal(clock.nowMs(), (NOW_S - 30) * 1000);
  });

  test('two seconds more or less are no reason', () => {
    const clock = new ClockCorrection(() => NOW_S * 1000);
    for (const off of [0, 1, 2, -1, -2]) assert.equal(clock.learnFrom(refusalAt(NOW_S + off), 0), false);
    assert.equal(clock.learnFrom(refusalAt(NOW_S + 3), 0), true);
  });

  test('no other answer is believed', () => {
    const clock = new ClockCorrection(() => NOW_S * 1000);
    for (const status of [200, 301, 400, 403, 429, 503]) {
      assert.equal(clock.learnFrom(refusalAt(NOW_S + 600, status), 0), false);
    }
    for (const time of ['', 'soon', '-1', '1700000600.5', '17000006000', ' 1e9', '170000060']) {
      assert.equal(clock.learnFrom(refusalAt(time), 0), false, time);
    }
    assert.equal(clock.learnFrom({ status: 401, headers: new Headers() }, 0), false);
    assert.equal(clock.offsetMs, 0);
  });

  test('a time that is more than a day off is not believed', () => {
    const clock = new ClockCorrection(() => NOW_S * 1000);
    for (const off of [DAY_S + 1, -DAY_S - 1]) {
      assert.equal(clock.learnFrom(refusalAt(NOW_S + off), 0), false);
    }
    assert.equal(clock.learnFrom(refusalAt(NOW_S + DAY_S), 0), true);
  });

  test('of two requests that were refused together, the second is worth signing again, too', () => {
    const clock = new ClockCorrection(() => NOW_S * 1000);
    const signedWith = clock.offsetMs;
    assert.equal(clock.learnFrom(refusalAt(NOW_S + 600), signedWith), true);
    assert.equal(clock.learnFrom(refusalAt(NOW_S + 600), signedWith), true);
    assert.equal(clock.learnFrom(refusalAt(NOW_S + 600), clock.offsetMs), false);
  });
});
