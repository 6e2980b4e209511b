/** Where things are: the repository, the pinned Node, the folders of the benchmark. */
import { dirname, join } from 'node:path';
import { realpathSync } from 'node:fs';

export const BENCH_DIR = import.meta.dirname;
export const REPOSITORY_DIR = dirname(BENCH_DIR);
export const RESULTS_DIR = join(BENCH_DIR, 'results');

/** The Node that the repository pins; Keyfold and its TypeScript peer both run on it. */
export const PINNED_NODE = findPinnedNode();

function findPinnedNode(): string {
  const link = join(REPOSITORY_DIR, 'node_modules/.bin/node');
  try {
    return realpathSync(link);
  } catch {
    return link;
  }
}
