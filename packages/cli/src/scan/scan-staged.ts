/** Scans what the next commit would add or change, as it is in the index. */
import { join, relative } from 'node:path';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { readLog } from './git-changes.ts';
import type { Repository } from './git.ts';
import { type BlobRequest, scanBlobs } from './scan-blobs.ts';
import type { Scan } from './scan-files.ts';

const DIFF =
  'diff --cached --raw -z --no-abbrev --no-renames --no-relative --no-ext-diff --ignore-submodules --diff-filter=d';

/** Throws `CommandFailure` in a repository without a work tree. */
export async function scanStaged(context: Context, repository: Repository, scan: Scan): Promise<void> {
  const { prefix, folder } = repository;
  if (prefix === undefined) {
    throw new CommandFailure(EXIT.usage, 'Nothing can be staged here: there is no work tree.');
  }
  const toShown = (path: string): string =>
    join(relative(context.cwd, folder), relative(join('/', prefix), join('/', path)));
  await scanBlobs(repository, listBlobs(repository, { scan, toShown }), scan);
}

async function* listBlobs(
  repository: Repository,
  { scan, toShown }: { scan: Scan; toShown: (path: string) => string },
): AsyncGenerator<BlobRequest> {
  const git = repository.start(DIFF.split(' '));
  try {
    for await (const entry of readLog(git.output)) {
      if ('commit' in entry || scan.isExcluded(toShown(entry.path))) continue;
      yield { blob: entry.blob, place: { path: toShown(entry.path) } };
    }
    await git.ended;
  } finally {
    git.stop();
  }
}
