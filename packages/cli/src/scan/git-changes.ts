/** Reads what `git log --raw -z` and `git diff --raw -z` print: the commits, and the blobs that each of them brought in. */
import type { Readable } from 'node:stream';
import type { Commit } from './finding.ts';

export interface Change {
  /** The blob's id, in hex. */
  readonly blob: string;
  /** From the top of the repository. */
  readonly path: string;
}

export type LogEntry = { readonly commit: Commit; readonly message: string } | Change;

/** What `git log` must be given so that {@link readLog} can tell a commit from a change. */
export const COMMIT_FORMAT = '--format=commit %H %ct%n%B';

const COMMIT = /^commit ([0-9a-f]{40,64}) ([0-9]+)\n([^]*)$/;
/** Old mode, new mode, old blob, new blob, what happened. */
const CHANGE = /^\n?:[0-7]+ ([0-7]+) [0-9a-f]+ ([0-9a-f]+) [A-Z]/;
/** What a path leads to: a commit of another repository. */
const SUBMODULE_MODE = '160000';
const NO_BLOB = /^0+$/;

/** Commits and changes in the order of the log. Deletions and submodules are left out. */
export async function* readLog(output: Readable): AsyncGenerator<LogEntry> {
  let awaited: { mode: string; blob: string } | undefined;
  for await (const field of splitAtNul(output)) {
    if (awaited !== undefined) {
      const { mode, blob } = awaited;
      awaited = undefined;
      if (mode !== SUBMODULE_MODE && !NO_BLOB.test(blob)) yield { blob, path: field };
      continue;
    }
    const [, mode, blob] = CHANGE.exec(field) ?? [];
    if (mode !== undefined && blob !== undefined) {
      awaited = { mode, blob };
      continue;
    }
    const [, id, seconds, message = ''] = COMMIT.exec(field) ?? [];
    if (id === undefined) continue;
    yield { commit: { id, committedAt: toTime(Number(seconds)) }, message };
  }
}

/** RFC 3339 in UTC, to the second. */
function toTime(seconds: number): string {
  return new Date(seconds * 1_000).toISOString().replace('.000Z', 'Z');
}

async function* splitAtNul(output: Readable): AsyncGenerator<string> {
  let open: Buffer[] = [];
  for await (const chunk of output as AsyncIterable<Buffer>) {
    let start = 0;
    for (let end = chunk.indexOf(0); end !== -1; end = chunk.indexOf(0, start)) {
      yield Buffer.concat([...open, chunk.subarray(start, end)]).toString('utf8');
      open = [];
      start = end + 1;
    }
    if (start < chunk.length) open.push(chunk.subarray(start));
  }
  if (open.length > 0) yield Buffer.concat(open).toString('utf8');
}
