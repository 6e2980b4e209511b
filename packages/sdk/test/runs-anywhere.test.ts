/** The SDK uses nothing but what every JavaScript runtime has: Node.js, Bun, Deno, browsers, workers. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const SRC = join(ROOT, 'packages/sdk/src');
const TESTS = ['**/*.test.ts', '**/test-*.ts'];

describe('what ships', () => {
  test('imports nothing but itself and the protocol', () => {
    const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(
      (path) => path.endsWith('.ts') && !/\.test\.ts$|(?:^|\/)test-[^/]+\.ts$/.test(path),
    );
    const imports = files.flatMap((path) =>
      [...readFileSync(join(SRC, path), 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map(
        ([, specifier = '']) => ({ path, specifier }),
      ),
    );
    assert.ok(imports.length > 50);
    assert.deepEqual(
      imports.filter(({ specifier }) => !/^\.{1,2}\/|^@keyfold\/protocol$/.test(specifier)),
      [],
    );
  });

  test("compiles against a browser's types, without those of Node.js", () => {
    const folder = mkdtempSync(join(tmpdir(), 'keyfold-sdk-types-'));
    const settings = {
      extends: join(ROOT, 'tsconfig.json'),
      compilerOptions: {
        types: [],
        lib: ['es2024', 'esnext.disposable', 'dom', 'dom.iterable', 'dom.asynciterable'],
      },
      include: [SRC],
      exclude: TESTS.map((pattern) => join(SRC, pattern)),
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(settings));
    const compiler = join(ROOT, 'node_modules/typescript/bin/tsc');
    const run = spawnSync(process.execPath, [compiler, '-p', folder], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    assert.equal(run.status, 0, run.stdout);
  });
});
