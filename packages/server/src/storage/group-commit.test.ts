import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Fault } from '../kernel/fault.ts';
import type { UnitOfWork } from './database.ts';
import { GroupCommit } from './group-commit.ts';

const UNIT: UnitOfWork = { steps: [] };
const committed = (units: readonly UnitOfWork[]) => units.map(() => ({ committed: true }) as const);

describe('group commit', () => {
  test('what arrives while a commit runs shares the next one, in order', async () => {
    const batches: number[] = [];
    const commits = new GroupCommit(async (units) => {
      batches.push(units.length);
      await nextTurn();
      return committed(units);
    });
    await Promise.all(Array.from({ length: 10 }, () => commits.submit(UNIT)));
    assert.deepEqual(batches, [1, 9]);
  });

  test('the barrier waits for what came before it and for nothing that comes after', async () => {
    const ending = new AbortController();
    const commits = new GroupCommit(async (units) => {
      await nextTurn();
      return committed(units);
    });
    const busy = Array.from({ length: 64 }, async () => {
      while (!ending.signal.aborted) await commits.submit(UNIT);
    });
    let isDurable = false;
    const earlier = commits.submit(UNIT, 'soon').then(() => (isDurable = true));
    await commits.barrier();
    assert.ok(isDurable);
    ending.abort();
    await Promise.all([...busy, earlier]);
  });

  test('a full queue refuses at once, and what waits is still done', async () => {
    const limits = { unitsPerCommitMax: 2, queueMax: 3, lingerMs: 1 };
    const commits = new GroupCommit(async (units) => {
      await nextTurn();
      return committed(units);
    }, limits);
    const results = await Promise.allSettled(Array.from({ length: 6 }, () => commits.submit(UNIT)));
    assert.deepEqual(
      results.map((result) => result.status),
      ['fulfilled', 'fulfilled', 'fulfilled', 'fulfilled', 'rejected', 'rejected'],
    );
  });

  test('a commit that fails fails all who shared it, and the next is tried anew', async () => {
    let isBroken = true;
    const commits = new GroupCommit((units) => {
      if (isBroken) throw new Error('disk full');
      return Promise.resolve(committed(units));
    });
    await assert.rejects(commits.submit(UNIT), Fault);
    isBroken = false;
    assert.deepEqual(await commits.submit(UNIT), { committed: true });
  });

  test('closing finishes what was submitted and takes no more', async () => {
    const commits = new GroupCommit((units) => Promise.resolve(committed(units)));
    const lazy = commits.submit(UNIT, 'soon');
    await commits.close();
    assert.deepEqual(await lazy, { committed: true });
    await assert.rejects(commits.submit(UNIT), Fault);
  });
});
