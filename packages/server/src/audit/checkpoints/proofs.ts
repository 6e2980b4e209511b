/**
 * Proofs over a node's chain: what leads from one head to another. A linear chain has linear proofs: the leaf hashes of the
 * records between, which say nothing of what is in them.
 */
import { EMPTY_CHAIN, leafOf } from '../../storage/audit-chain.ts';
import type { Database } from '../../storage/database.ts';
import { readHead } from './fold-chain.ts';

/** Records that are read and hashed at once. */
const READ_RECORDS = 500;

export interface RecordAt {
  readonly node: number;
  readonly sequence: number;
}

/** The record's bytes as they were chained; `undefined` where there is none of that number. */
export async function readRecordAt(
  database: Database,
  { node, sequence }: RecordAt,
): Promise<string | undefined> {
  const rows = await database.read((db) =>
    db
      .selectFrom('audit_records')
      .select('record')
      .where('node', '=', BigInt(node))
      .where('sequence', '=', BigInt(sequence)),
  );
  return rows[0]?.record;
}

/** The head before a record, base64; `undefined` where its record is gone. */
export async function readHeadBefore(
  database: Database,
  { node, sequence }: RecordAt,
): Promise<string | undefined> {
  const head = sequence === 1 ? EMPTY_CHAIN.head : await readHead(database, { node, sequence: sequence - 1 });
  return head === undefined ? undefined : Buffer.from(head, 'base64url').toString('base64');
}

/** The leaf hashes, base64, of the records after one size up to another. `undefined` where one is gone. */
export async function readLeaves(
  database: Database,
  { node, after, to }: { readonly node: number; readonly after: number; readonly to: number },
): Promise<readonly string[] | undefined> {
  const leaves: string[] = [];
  while (after + leaves.length < to) {
    const from = after + leaves.length;
    const rows = await database.read(
      (db) =>
        db
          .selectFrom('audit_records')
          .select('record')
          .where('node', '=', BigInt(node))
          .where('sequence', '>', BigInt(from))
          .where('sequence', '<=', BigInt(Math.min(to, from + READ_RECORDS)))
          .orderBy('sequence'),
      'report',
    );
    if (rows.length < Math.min(to - from, READ_RECORDS)) return undefined;
    for (const { record } of rows) leaves.push(leafOf(record).toString('base64'));
  }
  return leaves;
}
