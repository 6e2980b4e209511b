/** Lists the files below a folder: regular files alone, in order of their names, without following symbolic links. */
import { type Dirent, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { IsExcluded } from './exclude.ts';

/** Left out unless named: git keeps its own data in one, and the other holds what others have published. */
const SKIPPED_NAMES = ['.git', 'node_modules'];

export interface Walk {
  /** Paths are shown and excluded relative to this. */
  readonly base: string;
  readonly isExcluded: IsExcluded;
  readonly onUnreadable: (path: string, code: string) => void;
}

/** A folder that vanishes while it is walked has no files; one that cannot be read is reported. */
export function* walkFiles(folder: string, walk: Walk): Generator<string> {
  for (const entry of readEntries(folder, walk)) {
    const path = join(folder, entry.name);
    if (SKIPPED_NAMES.includes(entry.name) || walk.isExcluded(relative(walk.base, path))) continue;
    if (entry.isDirectory()) yield* walkFiles(path, walk);
    else if (entry.isFile()) yield path;
  }
}

function readEntries(folder: string, { onUnreadable }: Walk): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    if (code !== 'ENOENT') onUnreadable(folder, code);
    return [];
  }
}
