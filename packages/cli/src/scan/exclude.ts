/** Decides by its path whether a file or folder is left out of a scan. */
import { basename, matchesGlob, sep } from 'node:path';

export type IsExcluded = (path: string) => boolean;

/**
 * A glob without a slash is matched with the last name of the path, at any depth; one with a slash, with the whole path.
 * What is below a folder that matches is never asked about in a work tree, but it is in a history.
 */
export function createExclusion(globs: readonly string[]): IsExcluded {
  if (globs.length === 0) return () => false;
  return (path) => parentsOf(path).some((each) => globs.some((glob) => matches(each, glob)));
}

function matches(path: string, glob: string): boolean {
  const pattern = glob.replace(/^\.\//, '').replace(/\/$/, '');
  return matchesGlob(pattern.includes('/') ? path : basename(path), pattern);
}

/** `a`, `a/b`, `a/b/c` for `a/b/c`. */
function parentsOf(path: string): string[] {
  const names = path.split(sep);
  return names.map((_, index) => names.slice(0, index + 1).join(sep));
}
