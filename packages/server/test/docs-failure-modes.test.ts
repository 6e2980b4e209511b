import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const GATEWAY = 'packages/server/test/gateway';
const page = readFileSync(join(ROOT, 'docs/failure-modes.md'), 'utf8');
/** `name` is a file beside the gateway's tests, `a/b` one from the root of the server, and _title …_ a test in it. */
const NAMED = /`([a-z][\w./-]*)`(?:: (_[^_]+_(?:, _[^_]+_)*))?/g;

describe('the page about what happens when something is down', () => {
  const [head, , ...rows] = tableLines();

  test('names a test in every cell of its first table', () => {
    assert.ok(rows.length >= 9);
    for (const row of rows) {
      const [what = '', ...cells] = cellsOf(row);
      assert.equal(cells.length, cellsOf(head ?? '').length - 1, what);
      for (const cell of cells) {
        if (cell === '–') continue;
        assert.ok(testsIn(cell).length > 0, `${what}: no test is named in '${cell}'`);
      }
    }
  });

  test('names tests that there are', () => {
    for (const { file, titles } of rows.flatMap((row) => testsIn(row))) {
      const text = readFileSync(join(ROOT, file), 'utf8');
      for (const title of titles) assert.ok(text.includes(title), `${file} has no test '${title}'`);
    }
  });
});

/** The lines of the page's first table. */
function tableLines(): string[] {
  const lines = page.split('\n');
  const from = lines.findIndex((line) => line.startsWith('|'));
  const to = lines.findIndex((line, index) => index > from && !line.startsWith('|'));
  return lines.slice(from, to);
}

function cellsOf(row: string): string[] {
  return row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** What is in code and is no file, such as `unavailable`, names no test. */
function testsIn(cell: string): { readonly file: string; readonly titles: readonly string[] }[] {
  return [...cell.matchAll(NAMED)].flatMap(([, name = '', titles = '']) => {
    const file = name.includes('/') ? `packages/server/${name}.test.ts` : `${GATEWAY}/${name}.test.ts`;
    if (!existsSync(join(ROOT, file))) return [];
    return [
      {
        file,
        titles: titles
          .split(', ')
          .map((title) => title.replace(/^_|\s*…?_$|^_… /g, ''))
          .filter(Boolean),
      },
    ];
  });
}
