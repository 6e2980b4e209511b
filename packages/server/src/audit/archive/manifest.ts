/** The manifest of an archive: a JSON line for each segment. A segment is archived from the moment its line is on the disk. */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from './archive-file.ts';
import { type Segment, type SegmentFile, syncFolder } from './segment.ts';

export type ManifestEntry = Segment & SegmentFile;

const MANIFEST = 'manifest.jsonl';
/** What is read of its end: thousands of lines, of which one at most can be unfinished business. */
const TAIL_BYTES = 1_048_576;
const LINE_FEED = 0x0a;
const OWNER_ALONE = 0o600;

/** Durable when it resolves. What a crash has left of a line is taken away first. */
export async function appendEntry(folder: string, entry: ManifestEntry, atMs: number): Promise<void> {
  const line = JSON.stringify({
    node: entry.node,
    first: entry.first,
    last: entry.last,
    head_before: entry.headBefore,
    head: entry.head,
    sha256: entry.sha256,
    bytes: entry.bytes,
    file: entry.file,
    archived_at: new Date(atMs).toISOString(),
    note: entry.note,
  });
  const handle = await open(join(folder, MANIFEST), 'a+', OWNER_ALONE);
  try {
    const { size, tail } = await readTail(handle);
    if (tail.length > 0 && tail.at(-1) !== LINE_FEED) {
      await handle.truncate(size - tail.length + tail.lastIndexOf(LINE_FEED) + 1);
    }
    await handle.appendFile(`${line}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await syncFolder(folder);
}

/** The newest entry of a segment that begins there, if its file is whole: it was written before a crash. */
export async function findEntry(
  folder: string,
  of: { readonly node: number; readonly first: number },
): Promise<ManifestEntry | undefined> {
  const lines = await readLines(folder);
  for (const line of lines.toReversed()) {
    const entry = readEntry(line);
    if (entry?.node !== of.node || entry.first !== of.first) continue;
    return (await digestOf(join(folder, entry.file))) === entry.sha256 ? entry : undefined;
  }
  return undefined;
}

async function readLines(folder: string): Promise<string[]> {
  const handle = await openIfThere(join(folder, MANIFEST));
  if (handle === undefined) return [];
  try {
    const { tail } = await readTail(handle);
    // Without what follows the last line feed, which is no line.
    return tail
      .subarray(0, tail.lastIndexOf(LINE_FEED) + 1)
      .toString('utf8')
      .split('\n');
  } finally {
    await handle.close();
  }
}

async function readTail(handle: FileHandle): Promise<{ readonly size: number; readonly tail: Buffer }> {
  const { size } = await handle.stat();
  const tail = Buffer.alloc(Math.min(size, TAIL_BYTES));
  await handle.read(tail, 0, tail.length, size - tail.length);
  return { size, tail };
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** `undefined` for the first line of the tail, which may be cut off, and for any other that is none of ours. */
function readEntry(line: string): ManifestEntry | undefined {
  try {
    const fields = JSON.parse(line) as Readonly<Record<string, unknown>>;
    const text = (name: string) => String(fields[name]);
    const file = text('file');
    if (!/^node-[0-9]+-[0-9]+-[0-9a-f]+\.jsonl$/.test(file)) return undefined;
    return {
      node: Number(fields['node']),
      first: Number(fields['first']),
      last: Number(fields['last']),
      headBefore: text('head_before'),
      head: text('head'),
      sha256: text('sha256'),
      bytes: Number(fields['bytes']),
      file,
      note: text('note'),
    };
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError) return undefined;
    throw error;
  }
}
