import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { ManualTiming } from '../test/manual-timing.ts';
import { TIMER_MS_MAX, sleep, systemTiming } from './timing.ts';

describe('sleep', () => {
  test('ends after its time', async () => {
    const timing = new ManualTiming();
    let isAwake = false;
    const slept = sleep(timing, 1_000).then(() => {
      isAwake = true;
    });
    await timing.advance(999);
    assert.equal(isAwake, false);
    await timing.advance(1);
    await slept;
  });

  test('ends with its signal, and leaves nothing behind', async () => {
    const timing = new ManualTiming();
    const over = new AbortController();
    const slept = sleep(timing, 1_000, { signal: over.signal });
    over.abort(new Error('over'));
    await assert.rejects(slept, /over/);
    assert.equal(timing.pending, 0);
    await assert.rejects(sleep(timing, 1_000, { signal: over.signal }), /over/);
    assert.equal(timing.pending, 0);
  });
});

describe("the runtime's timers", () => {
  test('do not fire at once for what they cannot hold', async () => {
    let fired = 0;
    const callOff = systemTiming.schedule(() => fired++, TIMER_MS_MAX * 2);
    await new Promise((resolve) => setImmediate(resolve));
    callOff();
    assert.equal(fired, 0);
  });

  test('do not keep a program running in the background, and do where somebody waits', async () => {
    const module = JSON.stringify(new URL('timing.ts', import.meta.url));
    const run = (schedule: string) =>
      promisify(execFile)(process.execPath, [
        '--input-type=module',
        '--eval',
        `const { systemTiming: timing } = await import(${module}); ${schedule}`,
      ]);
    const background = await run("timing.schedule(() => console.log('fired'), 60_000, 'background')");
    assert.equal(background.stdout, '');
    const foreground = await run("timing.schedule(() => console.log('fired'), 1)");
    assert.equal(foreground.stdout, 'fired\n');
  });
});
