import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { createDurableFile, makeDurableFolder } from './durable-files.ts';

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
});
