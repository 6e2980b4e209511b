/** Roots of archived segments: up to where a chain was taken out of the database. A row that was edited is believed by nobody. */
import type { Selectable } from 'kysely';
import { Fault } from '../../kernel/fault.ts';
import type { RowMac } from '../../sealing/row-mac.ts';
import type { Database } from '../../storage/database.ts';
import type { Schema } from '../../storage/schema.ts';
import type { SqlStep } from '../../storage/statement.ts';

export interface RootRooms {
  readonly database: Database;
  readonly mac: RowMac;
}

export interface ArchiveRoot {
  readonly node: number;
  readonly first: number;
  readonly last: number;
  /** After the last record, base64url. */
  readonly head: string;
  readonly sha256: string;
  readonly file: string;
}

export function insertRootStep({ database, mac }: RootRooms, root: ArchiveRoot, atMs: number): SqlStep {
  const { node, first, last, head, sha256, file } = root;
  const row = { node, first, last, head, sha256, file, at: atMs };
  const values = { ...row, mac: mac.sign('audit_archives', macFields(row)) };
  return database.step((db) => db.insertInto('audit_archives').values(values));
}

/** Where the archives of a node end. Throws where the row is not what Keyfold has written: rows would go because of it. */
export async function readArchiveEnd(
  { database, mac }: RootRooms,
  node: number,
): Promise<ArchiveRoot | undefined> {
  const [row] = await database.read(
    (db) =>
      db
        .selectFrom('audit_archives')
        .selectAll()
        .where('node', '=', BigInt(node))
        .orderBy('last', 'desc')
        .limit(1),
    'report',
  );
  if (row === undefined) return undefined;
  if (!mac.holds('audit_archives', { fields: macFields(row), mac: row.mac })) {
    throw new Fault('internal', {
      internal: `the audit log was tampered with: that node ${node} is archived up to ${row.last} was edited in the database; nothing of it is archived or removed`,
    });
  }
  const { head, sha256, file } = row;
  return { node, first: Number(row.first), last: Number(row.last), head, sha256, file };
}

type Fields = Readonly<
  Record<'node' | 'first' | 'last' | 'at', number | bigint> &
    Pick<Selectable<Schema['audit_archives']>, 'head' | 'sha256' | 'file'>
>;

function macFields({ node, first, last, head, sha256, file, at }: Fields): (string | number | bigint)[] {
  return [node, first, last, head, sha256, file, at];
}
