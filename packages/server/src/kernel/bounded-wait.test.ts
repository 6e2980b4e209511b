import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BoundedWait } from './bounded-wait.ts';

describe('a bounded wait', () => {
  test('gives up what hangs, begins nothing beside it, and works again once it has ended', async () => {
    const waiting = new BoundedWait(1);
    const hanging = Promise.withResolvers<void>();
    let begun = 0;
    const work = () => {
      begun++;
      return hanging.promise;
    };
    await assert.rejects(waiting.for(work), /does not answer/);
    await assert.rejects(waiting.for(work), /does not answer/);
    assert.equal(begun, 1);
    hanging.resolve();
    await hanging.promise;
    assert.equal(await waiting.for(() => Promise.resolve('done')), 'done');
  });
});
