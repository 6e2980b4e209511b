/** Scans every commit that a branch, a tag or the stash leads to: each version of each file once, and the messages. */
import type { Commit } from './finding.ts';
import { COMMIT_FORMAT, readLog } from './git-changes.ts';
import type { Repository } from './git.ts';
import { type BlobRequest, scanBlobs } from './scan-blobs.ts';
import type { Scan } from './scan-files.ts';
import { TextScanner } from './text-scanner.ts';

/** Parents first, so that what is seen first is where it came in; a merge brings in what it has beyond its first parent. */
const LOG = [
  ...'log --all --topo-order --reverse --diff-merges=first-parent'.split(' '),
  ...'--raw -z --no-abbrev --no-renames --no-relative --encoding=UTF-8'.split(' '),
  COMMIT_FORMAT,
];

export const MESSAGE_PATH = '(commit message)';

export async function scanHistory(repository: Repository, scan: Scan): Promise<void> {
  if (repository.isShallow) {
    scan.tally.notes.push(
      'This clone is shallow: older commits are not in it. git fetch --unshallow gets them.',
    );
  }
  await scanBlobs(repository, listBlobs(repository, scan), scan);
}

async function* listBlobs(repository: Repository, scan: Scan): AsyncGenerator<BlobRequest> {
  const git = repository.start(LOG);
  const seen = new Set<string>();
  let commit: Commit | undefined;
  try {
    for await (const entry of readLog(git.output)) {
      if ('commit' in entry) {
        ({ commit } = entry);
        scanMessage(entry.message, commit, scan);
      } else if (commit !== undefined && !scan.isExcluded(entry.path) && isNew(entry.blob, seen)) {
        yield { blob: entry.blob, place: { path: entry.path, commit } };
      }
    }
    await git.ended;
  } finally {
    git.stop();
  }
}

function scanMessage(message: string, commit: Commit, { tally }: Scan): void {
  const scanner = new TextScanner();
  scanner.write(Buffer.from(message));
  tally.addMatches({ path: MESSAGE_PATH, commit }, scanner.end());
}

/** Ids are kept as bytes, of which a large repository has tens of megabytes. */
function isNew(blob: string, seen: Set<string>): boolean {
  const key = Buffer.from(blob, 'hex').toString('latin1');
  if (seen.has(key)) return false;
  seen.add(key);
  return true;
}
