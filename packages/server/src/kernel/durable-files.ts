/**
 * Files and folders that outlast a power loss as soon as they are made: their bytes are on the disk, and so are the names by
 * which they are found. (POSIX: `fsync` of a file says nothing of its name, which belongs to the folder.)
 */
import { closeSync, fsyncSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const OWNER_ALONE = { folder: 0o700, file: 0o600 } as const;

/** Makes the folder and those above it that are missing, each for its owner alone. */
export function makeDurableFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true, mode: OWNER_ALONE.folder });
  if (first === undefined) return;
  const highest = dirname(resolve(first));
  for (let parent = dirname(resolve(folder)); ; parent = dirname(parent)) {
    syncFolder(parent);
    if (parent === highest || parent === dirname(parent)) return;
  }
}

/** Makes a file for its owner alone. Throws where there is one of that name. */
export function createDurableFile(file: string, text: string): void {
  const descriptor = openSync(file, 'wx', OWNER_ALONE.file);
  try {
    writeFileSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  syncFolder(dirname(resolve(file)));
}

function syncFolder(folder: string): void {
  // Windows opens no folder, and writes names to its own log at once.
  if (process.platform === 'win32') return;
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
