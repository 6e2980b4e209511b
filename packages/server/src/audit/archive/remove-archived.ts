/** Takes what is archived out of the database: few rows in one commit, the first of which also says that it is archived. */
import type { Database } from '../../storage/database.ts';
import type { SqlStep, Step } from '../../storage/statement.ts';
import type { AuditLog } from '../audit-log.ts';
import { holdLeaseStep } from './archiver-lease.ts';
import type { ManifestEntry } from './manifest.ts';

export interface ArchiveRooms {
  readonly database: Database;
  readonly audit: AuditLog;
}

/** What the writer removes in a few milliseconds. */
const ROWS_PER_COMMIT = 200;

/** False when this process is the archiver no more. From here on the segment counts as gone. */
export async function commitArchived(
  { database, audit }: ArchiveRooms,
  entry: ManifestEntry,
  atMs: number,
): Promise<boolean> {
  const { node, first, last, head, sha256, bytes, file } = entry;
  const remember = database.step((db) =>
    db.insertInto('audit_archives').values({ node, first, last, head, sha256, file, at: atMs }),
  );
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
  const [row] = await database.read(
    (db) =>
      db
        .selectFrom('audit_records')
        .select('sequence')
        .where('node', '=', BigInt(node))
        .where('sequence', '<=', BigInt(through))
        .orderBy('sequence')
        .limit(1),
    'report',
  );
  if (row === undefined) return 'none';
  const from = Number(row.sequence);
  const to = Math.min(through, from + ROWS_PER_COMMIT - 1);
  const isDone = await commitAsArchiver(database, [removeStep(database, { node, from, to })]);
  return isDone ? 'some' : 'evicted';
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
