/**
 * Files and folders that outlast a power loss as soon as they are made: their bytes are on the disk, and so are the names by
 * which they are found. (POSIX: `fsync` of a file says nothing of its name, which belongs to the folder.)
 */
import { closeSync, constants, fsyncSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** A pipe without a writer keeps nobody waiting for ever. Windows has no such flag. */
const NEVER_WAITING = constants.O_NONBLOCK ?? 0;
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

/**
 * Appends to a file. Where it is not there, it is made for its owner alone, unless `mustExist`. Resolves when the text is on
 * the disk, and its name before it: a file that is still empty may be one whose maker was cut off before that.
 */
export async function appendDurably(
  file: string,
  text: string,
  { mustExist = false }: { readonly mustExist?: boolean } = {},
): Promise<void> {
  if (!mustExist) makeDurableFolder(dirname(resolve(file)));
  const creates = mustExist ? 0 : constants.O_CREAT;
  const flags = constants.O_WRONLY | constants.O_APPEND | NEVER_WAITING | creates;
  const handle = await open(file, flags, OWNER_ALONE.file);
  try {
    const { size } = await handle.stat();
    if (size === 0) syncFolder(dirname(resolve(file)));
    await handle.writeFile(text);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}

/** Opens a file to read it; `undefined` where there is none. Whatever else keeps it from being read is thrown. */
export async function openIfThere(file: string): Promise<FileHandle | undefined> {
  try {
    return await open(file, constants.O_RDONLY | NEVER_WAITING);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** The last bytes of a file, as text; empty where there is none. */
export async function readTail(file: string, bytesMax: number): Promise<string> {
  const handle = await openIfThere(file);
  if (handle === undefined) return '';
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
