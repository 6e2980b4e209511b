/** Reads the chains of all nodes in order, a bounded stretch at a time, so that no look-up waits for an export. */
import { parseCheckpoint, parseNote } from '@keyfold/protocol';
import { sql } from 'kysely';
import { Fault } from '../../kernel/fault.ts';
import type { Database } from '../../storage/database.ts';
import { allNodes } from '../checkpoints/left-nodes.ts';

export interface ChainRow {
  readonly node: number;
  readonly sequence: number;
  readonly atMs: number;
  readonly record: string;
  /** 32 bytes. */
  readonly head: Uint8Array;
}

/** Sequences of one node, both ends included. */
export interface Stretch {
  readonly node: number;
  readonly first: number;
  readonly last: number;
}

export interface SignedSize {
  readonly size: number;
  readonly atMs: number;
  /** Base64url, as the note says it. */
  readonly head: string;
  readonly note: string;
}

/** Sequences of one read: some hundred kilobytes. */
const SEQUENCES_PER_READ = 500;

/** What the database still has of each node's chain. What is archived counts as gone, though its last rows may be there yet. */
export async function readStretches(database: Database): Promise<Stretch[]> {
  const nodes = await database.read(
    (db) =>
      db
        .selectFrom(allNodes(database).as('nodes'))
        .select('nodes.node')
        .where(sql<boolean>`exists (select 1 from audit_records where node = nodes.node)`)
        .orderBy('nodes.node'),
    'report',
  );
  const stretches: Stretch[] = [];
  for (const { node } of nodes) {
    const stretch = await readStretch(database, Number(node));
    if (stretch !== undefined) stretches.push(stretch);
  }
  return stretches;
}

export async function readStretch(database: Database, node: number): Promise<Stretch | undefined> {
  const end = (order: 'asc' | 'desc') =>
    database.read(
      (db) =>
        db
          .selectFrom('audit_records')
          .select('sequence')
          .where('node', '=', BigInt(node))
          .orderBy('sequence', order)
          .limit(1),
      'report',
    );
  const [[first], [last], archived] = await Promise.all([
    end('asc'),
    end('desc'),
    readArchivedThrough(database, node),
  ]);
  if (first === undefined || last === undefined) return undefined;
  return { node, first: Math.max(Number(first.sequence), archived + 1), last: Number(last.sequence) };
}

/** The last sequence of the node that is in an archive; 0 when none is. */
export async function readArchivedThrough(database: Database, node: number): Promise<number> {
  const [row] = await database.read(
    (db) =>
      db
        .selectFrom('audit_archives')
        .select('last')
        .where('node', '=', BigInt(node))
        .orderBy('last', 'desc')
        .limit(1),
    'report',
  );
  return Number(row?.last ?? 0);
}

/** The rows of a stretch, some hundred at a time. Throws when they are archived while they are read. */
export async function* readRows(
  database: Database,
  { node, first, last }: Stretch,
): AsyncGenerator<readonly ChainRow[]> {
  for (let from = first; from <= last; from += SEQUENCES_PER_READ) {
    const to = Math.min(last, from + SEQUENCES_PER_READ - 1);
    const rows = await database.read(
      (db) =>
        db
          .selectFrom('audit_records')
          .select(['node', 'sequence', 'at', 'record', 'head'])
          .where('node', '=', BigInt(node))
          .where('sequence', '>=', BigInt(from))
          .where('sequence', '<=', BigInt(to))
          .orderBy('sequence'),
      'report',
    );
    const isShort = rows.length < to - from + 1;
    if (isShort && (await readArchivedThrough(database, node)) >= from) {
      throw new Fault('unavailable', { internal: `records of node ${node} were archived during an export` });
    }
    if (rows.length > 0) {
      yield rows.map((row) => ({
        node: Number(row.node),
        sequence: Number(row.sequence),
        atMs: Number(row.at),
        record: row.record,
        head: row.head,
      }));
    }
  }
}

/** The first sequence of the stretch that was written at a time or later; one beyond its end when none was. */
export async function findSequenceAt(database: Database, stretch: Stretch, atMs: number): Promise<number> {
  let [low, high] = [stretch.first, stretch.last + 1];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [row] = await database.read(
      (db) =>
        db
          .selectFrom('audit_records')
          .select(['sequence', 'at'])
          .where('node', '=', BigInt(stretch.node))
          .where('sequence', '>=', BigInt(middle))
          .where('sequence', '<=', BigInt(stretch.last))
          .orderBy('sequence')
          .limit(1),
      'report',
    );
    if (row === undefined || Number(row.at) >= atMs) high = middle;
    else low = Number(row.sequence) + 1;
  }
  return low;
}

/** The largest size that was signed up to a size and a time; one whose note cannot be read is passed over. */
export async function findSignedSize(
  database: Database,
  of: { readonly node: number; readonly sizeMax: number; readonly beforeMs?: number | undefined },
): Promise<SignedSize | undefined> {
  const rows = await database.read((db) => {
    const query = db
      .selectFrom('audit_checkpoints')
      .select(['size', 'at', 'note'])
      .where('node', '=', BigInt(of.node))
      .where('size', '<=', BigInt(of.sizeMax))
      .orderBy('size', 'desc')
      .limit(NOTES_PER_READ);
    return of.beforeMs === undefined ? query : query.where('at', '<', BigInt(of.beforeMs));
  }, 'report');
  for (const { size, at, note } of rows) {
    const checkpoint = parseCheckpoint(parseNote(note)?.text ?? '');
    if (checkpoint?.node !== of.node || checkpoint.size !== Number(size)) continue;
    const head = Buffer.from(checkpoint.head).toString('base64url');
    return { size: checkpoint.size, atMs: Number(at), head, note };
  }
  return undefined;
}

const NOTES_PER_READ = 10;
