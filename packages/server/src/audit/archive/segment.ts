/** A segment of a node's chain: from what is archived already to a checkpoint, written as a file in the form of an export. */
import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDurableFolder } from '../../kernel/durable-files.ts';
import { Fault } from '../../kernel/fault.ts';
import type { CheckpointKey } from '../../sealing/checkpoint-key.ts';
import { EMPTY_CHAIN, headText, nextHead } from '../../storage/audit-chain.ts';
import type { Database } from '../../storage/database.ts';
import { renderExportLine } from '../export/export-line.ts';
import { type ChainRow, findSignedSize, readRows, readStretch } from '../export/read-chain.ts';
import { digestOf, writeAll } from './archive-file.ts';
import { type RootRooms, readArchiveEnd } from './archive-roots.ts';

/** What will be archived next: both ends included, heads base64url. */
export interface Segment {
  readonly node: number;
  readonly first: number;
  readonly last: number;
  readonly headBefore: string;
  /** The signed one, after the last record. */
  readonly head: string;
  /** The checkpoint that closes it. */
  readonly note: string;
}

export interface SegmentFile {
  /** Its name in the archive's folder. */
  readonly file: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** Records of the largest segment: a file of some tens of megabytes. */
export const SEGMENT_RECORDS_MAX = 100_000;
const SEQUENCE_DIGITS = 15;
const MARK_CHARACTERS = 12;
const NOTHING_YET = { last: 0, head: EMPTY_CHAIN.head };
const OWNER_ALONE = 0o600;

/** What a plan goes by. */
export interface PlanRooms extends RootRooms {
  readonly checkpointKey: Pick<CheckpointKey, 'open'>;
}

/**
 * `undefined` where no checkpoint closes anything that is old enough. The chain's last record is never part of one. Throws
 * where the checkpoint was not signed by the key.
 */
export async function planSegment(
  rooms: PlanRooms,
  of: { readonly node: number; readonly beforeMs: number },
): Promise<Segment | undefined> {
  const { node, beforeMs } = of;
  const { database, checkpointKey } = rooms;
  const stretch = await readStretch(database, node);
  if (stretch === undefined) return undefined;
  const before = (await readArchiveEnd(rooms, node)) ?? NOTHING_YET;
  if (stretch.first !== before.last + 1) {
    throw new Fault('internal', {
      internal: `node ${node} has no record ${before.last + 1}: nothing is archived after a gap`,
    });
  }
  const sizeMax = Math.min(stretch.last - 1, before.last + SEGMENT_RECORDS_MAX);
  const signed = await findSignedSize(database, { node, sizeMax, beforeMs });
  if (signed === undefined || signed.size <= before.last) return undefined;
  const { size, head, note } = signed;
  if (checkpointKey.open(note) === undefined) {
    throw new Fault('internal', {
      internal: `the audit log was tampered with: node ${node}, the checkpoint of ${size} was not signed by this server; nothing of it is archived`,
    });
  }
  return { node, first: stretch.first, last: size, headBefore: before.head, head, note };
}

/** Whether the database still has the segment's last record, and with the head that the segment ends with. */
export async function isSegmentOf(
  database: Database,
  { node, last, head }: Pick<Segment, 'node' | 'last' | 'head'>,
): Promise<boolean> {
  const [row] = await database.read(
    (db) =>
      db
        .selectFrom('audit_records')
        .select('head')
        .where('node', '=', BigInt(node))
        .where('sequence', '=', BigInt(last)),
    'report',
  );
  return row !== undefined && headText(row.head) === head;
}

/**
 * Writes the file, durably. `undefined` when a record is younger than it must be. Throws when the rows are not those that were
 * signed: they must stay as evidence.
 */
export async function writeSegment(
  database: Database,
  segment: Segment,
  into: { readonly folder: string; readonly beforeMs: number },
): Promise<SegmentFile | undefined> {
  makeDurableFolder(into.folder);
  const file = nameOf(segment);
  const partial = join(into.folder, `${file}.partial`);
  try {
    const written = await writePartial(partial, readRows(database, segment), { ...into, segment });
    if (written === undefined) return undefined;
    // The rows are about to go: what is in the file counts, and not what was handed to it.
    if ((await digestOf(partial)) !== written.sha256) {
      throw new Fault('internal', {
        internal: `${partial} is not what was written to it; nothing is removed`,
      });
    }
    await rename(partial, join(into.folder, file));
    await syncFolder(into.folder);
    return { file, ...written };
  } finally {
    await rm(partial, { force: true });
  }
}

async function writePartial(
  path: string,
  pages: AsyncIterable<readonly ChainRow[]>,
  of: { readonly segment: Segment; readonly beforeMs: number },
): Promise<Omit<SegmentFile, 'file'> | undefined> {
  const handle = await open(path, 'w', OWNER_ALONE);
  try {
    const written = await writeRows(handle, pages, of);
    if (written !== undefined) await handle.sync();
    return written;
  } finally {
    await handle.close();
  }
}

/** With a part of its head: two logs that share a folder by mistake do not overwrite each other. */
function nameOf({ node, first, head }: Segment): string {
  const mark = Buffer.from(head, 'base64url').toString('hex').slice(0, MARK_CHARACTERS);
  return `node-${node}-${String(first).padStart(SEQUENCE_DIGITS, '0')}-${mark}.jsonl`;
}

async function writeRows(
  handle: FileHandle,
  pages: AsyncIterable<readonly ChainRow[]>,
  { segment, beforeMs }: { readonly segment: Segment; readonly beforeMs: number },
): Promise<Omit<SegmentFile, 'file'> | undefined> {
  const digest = createHash('sha256');
  let [bytes, sequence, head] = [0, segment.first - 1, segment.headBefore];
  for await (const rows of pages) {
    for (const row of rows) {
      sequence++;
      head = nextHead(head, row.record);
      if (row.sequence !== sequence || head !== headText(row.head)) throw notAsSigned(segment, sequence);
      if (row.atMs >= beforeMs) return undefined;
    }
    const text = Buffer.from(rows.map(renderExportLine).join(''), 'utf8');
    digest.update(text);
    await writeAll(handle, text);
    bytes += text.length;
  }
  if (sequence !== segment.last || head !== segment.head) throw notAsSigned(segment, sequence);
  return { sha256: digest.digest('hex'), bytes };
}

function notAsSigned({ node, last }: Segment, sequence: number): Fault {
  return new Fault('internal', {
    internal: `the audit log was tampered with: node ${node}, record ${sequence}, is not what was signed with ${last}; nothing of it is archived`,
  });
}

/** The names in a folder outlast a power loss from here on. */
export async function syncFolder(folder: string): Promise<void> {
  // Windows opens no folder, and writes names to its own log at once.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
