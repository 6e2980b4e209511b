import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { SlidingWindow, WINDOW_MS } from './sliding-window.ts';

const SLOT_MS = 250;

describe('a sliding window', () => {
  test('counts everything of the last minute, and nothing that is a minute and a quarter of a second old', () => {
    const event = fc.record({ pauseMs: fc.nat(20_000), amount: fc.nat(1_000) });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 200 }), (events) => {
        const window = new SlidingWindow(0);
        const seen: { atMs: number; amount: number }[] = [];
        let nowMs = 0;
        const sumSince = (sinceMs: number) =>
          seen.filter(({ atMs }) => atMs > sinceMs).reduce((sum, { amount }) => sum + amount, 0);
        for (const { pauseMs, amount } of events) {
          nowMs += pauseMs;
          const used = window.used(nowMs);
          assert.ok(used >= sumSince(nowMs - WINDOW_MS));
          assert.ok(used <= sumSince(nowMs - WINDOW_MS - SLOT_MS));
          window.add(amount, nowMs);
          seen.push({ atMs: nowMs, amount });
        }
      }),
    );
  });

  test('says exactly how long to wait', () => {
    const step = fc.record({ pauseMs: fc.nat(5_000), amount: fc.integer({ min: 1, max: 100 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const window = new SlidingWindow(0);
        let nowMs = 0;
        for (const { pauseMs, amount } of steps) {
          nowMs += pauseMs;
          const waitMs = window.waitMs(amount, 200, nowMs);
          assert.equal(waitMs === 0, window.used(nowMs) + amount <= 200);
          if (waitMs > 0) {
            assert.ok(new SlidingWindow(nowMs, window.entries(nowMs)).used(nowMs) === window.used(nowMs));
            assert.ok(window.used(nowMs + waitMs - 1) + amount > 200, 'not too long');
            nowMs += waitMs;
            assert.ok(window.used(nowMs) + amount <= 200, 'long enough');
          }
          window.add(amount, nowMs);
        }
      }),
    );
  });

  test('holds no more than its slots, whatever the traffic', () => {
    const window = new SlidingWindow(0);
    for (let nowMs = 0; nowMs < 10 * WINDOW_MS; nowMs += 10) window.add(1, nowMs);
    assert.ok(window.entries(10 * WINDOW_MS).length <= WINDOW_MS / SLOT_MS + 1);
  });

  test('takes back what is still counted, and nothing twice', () => {
    const window = new SlidingWindow(0);
    const slot = window.add(10, 0);
    window.add(5, 100);
    window.giveBack(4, slot);
    assert.equal(window.used(100), 11);
    assert.equal(window.used(WINDOW_MS + SLOT_MS), 0);
    window.giveBack(6, slot);
    assert.equal(window.used(WINDOW_MS + SLOT_MS), 0);
  });
});
