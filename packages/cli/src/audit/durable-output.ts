/** Writes a file that is there as a whole or not at all, and outlasts a power loss once it is. */
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** What an audit log says is not for everybody on the machine. */
const OWNER_ALONE = 0o600;

/** Writes the pieces beside `path` first, and puts them in its place when all are on the disk. Returns the bytes written. */
export async function writeDurably(
  path: string,
  pieces: AsyncIterable<Uint8Array | string>,
  onWritten: (bytes: number) => void = () => undefined,
): Promise<number> {
  const partial = `${path}.partial`;
  const handle = await open(partial, 'w', OWNER_ALONE);
  let bytes = 0;
  try {
    for await (const piece of pieces) {
      bytes += await writeAll(handle, piece);
      onWritten(bytes);
    }
    await handle.sync();
  } catch (error) {
    await handle.close();
    await rm(partial, { force: true });
    throw error;
  }
  await handle.close();
  await rename(partial, path);
  await syncFolder(dirname(path));
  return bytes;
}

async function writeAll(handle: FileHandle, piece: Uint8Array | string): Promise<number> {
  const bytes = typeof piece === 'string' ? Buffer.from(piece, 'utf8') : piece;
  let from = 0;
  while (from < bytes.length) from += (await handle.write(bytes, from)).bytesWritten;
  return bytes.length;
}

/** The file's name belongs to its folder. */
async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folder, and writes names to its own log at once.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
