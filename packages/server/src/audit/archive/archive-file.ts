/** Files of an archive: every byte is written, and read again before anything is removed because of them. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';

/** A write may take less than it was given, as on a disk that is nearly full, and calls that no error. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let from = 0; from < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, from, bytes.length - from);
    if (bytesWritten === 0) throw new Error('the file takes no more bytes');
    from += bytesWritten;
  }
}

/** SHA-256 of what the file holds, hexadecimal; `undefined` where there is none. */
export async function digestOf(path: string): Promise<string | undefined> {
  const digest = createHash('sha256');
  try {
    for await (const piece of createReadStream(path)) digest.update(piece as Buffer);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  return digest.digest('hex');
}
