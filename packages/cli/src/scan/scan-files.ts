/** Scans files, folders and standard input. */
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import type { Context } from '../context.ts';
import { CommandFailure, EXIT } from '../exit-code.ts';
import { ContentScanner } from './content-scanner.ts';
import type { IsExcluded } from './exclude.ts';
import { redactSecrets } from './finding.ts';
import type { Tally } from './tally.ts';
import { type Walk, walkFiles } from './walk-files.ts';

export interface Scan {
  readonly tally: Tally;
  readonly includeBinary: boolean;
  readonly isExcluded: IsExcluded;
  /** Called after every piece that was read. */
  readonly onRead: () => void;
}

export const STANDARD_INPUT = '-';
const STANDARD_INPUT_NAME = 'stdin';
const PIECE_BYTES = 65_536;

/** One for all files: reading is synchronous, which spares many small files the way through the thread pool. */
const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);

/** Throws `CommandFailure` before anything is read when one of the paths does not exist. */
export async function scanPaths(context: Context, paths: readonly string[], scan: Scan): Promise<void> {
  const { tally, isExcluded } = scan;
  const toShown = (path: string): string => relative(context.cwd, path) || '.';
  const roots = findRoots(context, paths);
  if (paths.includes(STANDARD_INPUT)) await scanInput(context, scan);
  const onUnreadable = (path: string, code: string): void => tally.addUnreadable(toShown(path), code);
  for (const file of listFiles(roots, { base: context.cwd, isExcluded, onUnreadable })) {
    scanFile(file, toShown(file), scan);
  }
}

/** Bytes of the files that {@link scanPaths} would read. Takes a fraction of the time. */
export function measurePaths(context: Context, paths: readonly string[], isExcluded: IsExcluded): number {
  const walk = { base: context.cwd, isExcluded, onUnreadable: () => undefined };
  let bytes = 0;
  for (const file of listFiles(findRoots(context, paths), walk)) {
    bytes += statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  }
  return bytes;
}

interface Root {
  readonly path: string;
  readonly isFolder: boolean;
}

/** A path that is named is scanned, whatever it is called and even if it is a symbolic link. */
function findRoots({ cwd }: Context, paths: readonly string[]): Root[] {
  return paths
    .filter((path) => path !== STANDARD_INPUT)
    .map((path) => ({ path: resolve(cwd, path), isFolder: isFolder(resolve(cwd, path), path) }));
}

function* listFiles(roots: readonly Root[], walk: Walk): Generator<string> {
  for (const { path, isFolder } of roots) {
    if (isFolder) yield* walkFiles(path, walk);
    else yield path;
  }
}

function isFolder(path: string, named: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    const shown = redactSecrets(named);
    const message = code === 'ENOENT' ? `${shown} does not exist.` : `${shown} cannot be read (${code}).`;
    throw new CommandFailure(EXIT.usage, message, { cause: error });
  }
}

/** A file that vanished since it was listed holds nothing any more. What was read before an error counts. */
export function scanFile(file: string, shownPath: string, scan: Scan): void {
  const scanner = new ContentScanner(scan.includeBinary);
  try {
    const descriptor = openSync(file, 'r');
    try {
      readAll(descriptor, scanner, scan);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    // A name that is not UTF-8 cannot be opened by what it was decoded to.
    if (code === 'ENOENT' && !file.includes('\u{fffd}')) return;
    scan.tally.addUnreadable(shownPath, code);
    if (scanner.isEmpty) return;
  }
  scan.tally.addFile({ path: shownPath }, scanner);
}

function readAll(descriptor: number, scanner: ContentScanner, scan: Scan): void {
  for (;;) {
    const length = readSync(descriptor, piece);
    if (length === 0) return;
    const wantsMore = scanner.write(piece.subarray(0, length));
    scan.tally.bytes += length;
    scan.onRead();
    if (!wantsMore) return;
  }
}

async function scanInput({ stdin }: Context, scan: Scan): Promise<void> {
  const scanner = new ContentScanner(scan.includeBinary);
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    const bytes = Buffer.from(chunk as string);
    const wantsMore = scanner.write(bytes);
    scan.tally.bytes += bytes.length;
    scan.onRead();
    if (!wantsMore) break;
  }
  scan.tally.addFile({ path: STANDARD_INPUT_NAME }, scanner);
}
