/** Takes what is archived out of the database: few rows in one commit, the first of which also says that it is archived. */
import type { Database } from '../../storage/database.ts';
import type { SqlStep, Step } from '../../storage/statement.ts';
import type { AuditLog } from '../audit-log.ts';
import { type RootRooms, insertRootStep } from './archive-roots.ts';
import { holdLeaseStep } from './archiver-lease.ts';
import type { ManifestEntry } from './manifest.ts';

export interface ArchiveRooms extends RootRooms {
  readonly audit: AuditLog;
}

/** What the writer removes in a few milliseconds. */
const ROWS_PER_COMMIT = 200;

/** False when this process is the archiver no more. From here on the segment counts as gone. */
export async function commitArchived(
  rooms: ArchiveRooms,
  entry: ManifestEntry,
  atMs: number,
): Promise<boolean> {
  const { node, first, last, head, sha256, bytes, file } = entry;
  const { database, audit } = rooms;
  const remember = insertRootStep(rooms, entry, atMs);
  const record = audit.step({
    action: 'audit.archived',
    actor: 'system',
    target: file,
    decision: 'allowed',
    detail: { node, first, last, head, sha256, bytes },
  });
  const rest = { node, from: first, to: Math.min(last, first + ROWS_PER_COMMIT - 1) };
  return commitAsArchiver(database, [remember, record, removeStep(database, rest)]);
}

/** `evicted`: this process is the archiver no more. */
export type Removed = 'some' | 'none' | 'evicted';

/** Removes the next rows up to `through`. */
export async function removeSome(
  database: Database,
  of: { readonly node: number; readonly through: number },
): Promise<Removed> {
  const { node, through } = of;
  const from = await firstUpTo(database, of);
  if (from === undefined) return 'none';
  const to = Math.min(through, from + ROWS_PER_COMMIT - 1);
  const isDone = await commitAsArchiver(database, [removeStep(database, { node, from, to })]);
  return isDone ? 'some' : 'evicted';
}

/** Whether a record of the node is there up to a sequence. */
export async function hasUpTo(
  database: Database,
  of: { readonly node: number; readonly through: number },
): Promise<boolean> {
  return (await firstUpTo(database, of)) !== undefined;
}

async function firstUpTo(
  database: Database,
  of: { readonly node: number; readonly through: number },
): Promise<number | undefined> {
  const [row] = await database.read(
    (db) =>
      db
        .selectFrom('audit_records')
        .select('sequence')
        .where('node', '=', BigInt(of.node))
        .where('sequence', '<=', BigInt(of.through))
        .orderBy('sequence')
        .limit(1),
    'report',
  );
  return row === undefined ? undefined : Number(row.sequence);
}

async function commitAsArchiver(database: Database, steps: readonly Step[]): Promise<boolean> {
  const { committed } = await database.commit({ steps: [holdLeaseStep(database), ...steps] }, 'soon');
  return committed;
}

function removeStep(
  database: Database,
  of: { readonly node: number; readonly from: number; readonly to: number },
): SqlStep {
  return database.step((db) =>
    db
      .deleteFrom('audit_records')
      .where('node', '=', BigInt(of.node))
      .where('sequence', '>=', BigInt(of.from))
      .where('sequence', '<=', BigInt(of.to)),
  );
}
