import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { createProgress } from './progress.ts';

const ERASE = '\r\u{1b}[K';

function open(
  stream: { isTTY?: boolean; columns?: number },
  env: Record<string, string> = {},
  total?: number,
) {
  let now = 0;
  const written = new PassThrough();
  const progress = createProgress(Object.assign(written, stream), { env, total, nowMs: () => now });
  return {
    progress,
    wait: (ms: number) => {
      now += ms;
    },
    read: () => {
      let text = '';
      for (let part = written.read() as Buffer | null; part !== null; part = written.read() as Buffer | null)
        text += String(part);
      return text;
    },
  };
}

describe('createProgress', () => {
  test('nothing is drawn where there is no terminal, or one that cannot', () => {
    for (const { progress, wait, read } of [
      open({}),
      open({ isTTY: false }),
      open({ isTTY: true }, { TERM: 'dumb' }),
    ]) {
      wait(1_000);
      progress.show(1, () => assert.fail('asked for a label'));
      progress.clear();
      assert.equal(read(), '');
    }
  });

  test('what is done quickly shows nothing; what takes longer is drawn, at most ten times a second', () => {
    const { progress, wait, read } = open({ isTTY: true }, {}, 100);
    wait(399);
    progress.show(1, () => 'a');
    assert.equal(read(), '');
    wait(1);
    progress.show(25, () => 'b');
    assert.equal(read(), `${ERASE}${'█'.repeat(6)}${'░'.repeat(18)}  25 %  b`);
    wait(99);
    progress.show(50, () => 'c');
    assert.equal(read(), '');
    wait(1);
    progress.show(50, () => 'd');
    assert.match(read(), / 50 % {2}d$/);
  });

  test('a total that is exceeded is all of it, and one of nothing does not divide', () => {
    for (const total of [10, 0]) {
      const { progress, wait, read } = open({ isTTY: true }, {}, total);
      wait(400);
      progress.show(20, () => 'x');
      assert.equal(read(), `${ERASE}${'█'.repeat(24)} 100 %  x`);
    }
  });

  test('without a total there is a label alone, and never more than a line', () => {
    for (const [columns, shown] of [
      [10, 'a label t'],
      [0, 'a label that is long'],
    ] as const) {
      const { progress, wait, read } = open({ isTTY: true, columns });
      wait(400);
      progress.show(20, () => 'a label that is long');
      assert.equal(read(), ERASE + shown);
    }
  });

  test('it is taken away, once, if it was drawn', () => {
    const { progress, wait, read } = open({ isTTY: true });
    progress.clear();
    assert.equal(read(), '');
    wait(400);
    progress.show(1, () => 'x');
    progress.clear();
    progress.clear();
    assert.equal(read(), `${ERASE}x${ERASE}`);
  });
});
