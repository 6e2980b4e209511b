import assert from 'node:assert/strict';
import fs, { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { appendDurably, createDurableFile, makeDurableFolder, readTail } from './durable-files.ts';

describe('durable files and folders', () => {
  const directory = mkdtempSync(join(tmpdir(), 'keyfold-durable-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  const modeOf = (path: string) => statSync(path).mode & 0o777;

  test('a folder is made with those above it, for its owner alone, and may be there already', () => {
    const folder = join(directory, 'above', 'below');
    makeDurableFolder(folder);
    makeDurableFolder(folder);
    assert.deepEqual([modeOf(join(directory, 'above')), modeOf(folder)], [0o700, 0o700]);
  });

  test('a file is for its owner alone, and is never overwritten', () => {
    const file = join(directory, 'secret');
    createDurableFile(file, 'first\n');
    assert.throws(() => createDurableFile(file, 'second\n'), { code: 'EEXIST' });
    assert.equal(readFileSync(file, 'utf8'), 'first\n');
    assert.equal(modeOf(file), 0o600);
  });

  test('what cannot be read is not taken for what is not there', async () => {
    assert.equal(await readTail(join(directory, 'none'), 10), '');
    const loop = join(directory, 'loop');
    symlinkSync(loop, loop);
    await assert.rejects(readTail(loop, 10), { code: 'ELOOP' });
    await assert.rejects(appendDurably(join(directory, 'none'), 'text', { mustExist: true }), {
      code: 'ENOENT',
    });
  });

  test('the name of a file is on the disk before its first bytes, also where its maker was cut off', async (t) => {
    const file = join(directory, 'cut-off');
    writeFileSync(file, '');
    const sizes: number[] = [];
    const sync = fs.fsyncSync;
    t.mock.method(fs, 'fsyncSync', (descriptor: number) => {
      sizes.push(statSync(file).size);
      sync(descriptor);
    });
    syncBuiltinESMExports();
    await appendDurably(file, 'first\n');
    await appendDurably(file, 'second\n');
    t.mock.restoreAll();
    syncBuiltinESMExports();
    assert.deepEqual(sizes, [0], 'of the folder, while there was nothing in it');
    assert.equal(readFileSync(file, 'utf8'), 'first\nsecond\n');
  });
});
