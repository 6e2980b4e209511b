/**
 * Files and folders that outlast a power loss as soon as they are made: their bytes are on the disk, and so are the names by
 * which they are found. (POSIX: `fsync` of a file says nothing of its name, which belongs to the folder.)
 */
import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
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

/** Appends to a file, which is made for its owner alone where it is not there. Resolves when the text is on the disk. */
export async function appendDurably(file: string, text: string): Promise<void> {
  const isNew = !existsSync(file);
  if (isNew) makeDurableFolder(dirname(resolve(file)));
  const handle = await open(file, 'a', OWNER_ALONE.file);
  try {
    await handle.writeFile(text);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  if (isNew) syncFolder(dirname(resolve(file)));
}

/** The last bytes of a file, as text; empty where there is none. */
export async function readTail(file: string, bytesMax: number): Promise<string> {
  if (!existsSync(file)) return '';
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const bytes = Buffer.alloc(Math.min(size, bytesMax));
    const { bytesRead } = await handle.read(bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString('utf8', 0, bytesRead);
  } finally {
    await handle.close();
  }
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
