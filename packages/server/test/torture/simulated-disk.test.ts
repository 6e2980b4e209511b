import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, test } from 'node:test';
import { provideStrace } from '../../../../test/services/strace.ts';
import { SeededRandom } from '../seeded-random.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { type TraceEvent, readTrace, tracerOf } from './syscall-trace.ts';

const IMAGES = 60;
const ROWS = 40;

describe('the simulated disk', () => {
  const directory = mkdtempSync(join(tmpdir(), 'keyfold-disk-'));
  after(() => rmSync(directory, { recursive: true, force: true }));
  let folders = 0;
  const newFolder = () => {
    const folder = join(directory, String(folders++));
    mkdirSync(folder);
    return folder;
  };
  const imagesOf = (disk: SimulatedDisk) =>
    Array.from({ length: IMAGES }, (_, seed) => {
      const image = newFolder();
      disk.writeImage(image, new SeededRandom(seed));
      return image;
    });

  test('keeps all that was synced, and of the rest loses all, keeps all, or tears it at a sector', () => {
    const folder = newFolder();
    const disk = new SimulatedDisk(folder);
    const path = join(folder, 'file');
    const events: TraceEvent[] = [
      { kind: 'create', path },
      { kind: 'write', path, offset: 0, data: Buffer.alloc(4_096, 'a') },
      { kind: 'sync', path, began: 2 },
      { kind: 'sync', path: folder, began: 3 },
      { kind: 'write', path, offset: 0, data: Buffer.alloc(4_096, 'b') },
      // It began before the second write: that it ended later says nothing of it.
      { kind: 'sync', path, began: 4 },
    ];
    for (const event of events) disk.apply(event);
    const seen = new Set<string>();
    for (const image of imagesOf(disk)) {
      const text = readFileSync(join(image, 'file'), 'latin1');
      assert.equal(text.length, 4_096);
      for (let at = 0; at < text.length; at += 512)
        assert.match(text.slice(at, at + 512), /^(?:a{512}|b{512})$/, 'a sector is written as a whole');
      seen.add(text.includes('a') ? (text.includes('b') ? 'torn' : 'lost') : 'kept');
    }
    assert.deepEqual([...seen].sort(), ['kept', 'lost', 'torn']);
  });

  test('loses the name of a new file, and brings a removed one back, unless the folder was synced', () => {
    const folder = newFolder();
    const disk = new SimulatedDisk(folder);
    const [old, fresh] = [join(folder, 'old'), join(folder, 'fresh')];
    const events: TraceEvent[] = [
      { kind: 'create', path: old },
      { kind: 'sync', path: folder, began: 1 },
      { kind: 'create', path: fresh },
      { kind: 'write', path: fresh, offset: 0, data: Buffer.from('bytes') },
      { kind: 'sync', path: fresh, began: 4 },
      { kind: 'unlink', path: old },
    ];
    for (const event of events) disk.apply(event);
    const seen = imagesOf(disk).map((image) => [
      existsSync(join(image, 'old')),
      existsSync(join(image, 'fresh')),
    ]);
    assert.ok(seen.some(([hasOld, hasFresh]) => hasOld === true && hasFresh === false));
    assert.ok(seen.some(([hasOld, hasFresh]) => hasOld === false && hasFresh === true));
    disk.apply({ kind: 'sync', path: folder, began: 6 });
    for (const image of imagesOf(disk)) {
      assert.deepEqual([existsSync(join(image, 'old')), existsSync(join(image, 'fresh'))], [false, true]);
    }
  });

  for (const [synchronous, isDurable] of [
    ['full', true],
    ['off', false],
  ] as const) {
    const what = isDurable ? 'keeps every commit' : 'loses commits';
    test(`${what} of an SQLite with synchronous=${synchronous}`, async () => {
      const folder = newFolder();
      const trace = join(directory, `trace-${synchronous}`);
      const disk = new SimulatedDisk(folder);
      const program = `
        const db = new (require('node:sqlite').DatabaseSync)(process.argv[1]);
        db.exec('pragma journal_mode = wal; pragma synchronous = ${synchronous}; create table t (x)');
        for (let row = 0; row < ${ROWS}; row++) db.prepare('insert into t values (randomblob(900))').run();
        process.kill(process.pid, 'SIGKILL');`;
      const [command = '', ...given] = tracerOf(provideStrace(), trace);
      const file = join(folder, 'some.db');
      assert.throws(() =>
        execFileSync(command, [...given, process.execPath, '-e', program, file], { stdio: 'pipe' }),
      );
      for (const event of await readTrace(trace, folder)) disk.apply(event);
      const rows = imagesOf(disk).map((image) => countRows(join(image, 'some.db')));
      if (isDurable) assert.deepEqual([...new Set(rows)], [ROWS]);
      else
        assert.ok(
          rows.some((count) => count < ROWS),
          `nothing was lost: ${rows.join(' ')}`,
        );
    });
  }
});

/** 0 where there is no table, or no database that opens. */
function countRows(file: string): number {
  if (!existsSync(file)) return 0;
  const db = new DatabaseSync(file);
  try {
    return Number(db.prepare('select count(*) as n from t').get()?.['n']);
  } catch (error) {
    if (error instanceof Error && 'errcode' in error) return 0;
    throw error;
  } finally {
    db.close();
  }
}
