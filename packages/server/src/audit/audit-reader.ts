/** Reads audit records back as they were chained. */
import type { Id } from '@keyfold/protocol';
import { sql } from 'kysely';
import type { Database } from '../storage/database.ts';
import { shortMark } from './call-record.ts';

/** A record's place in its node's chain. */
export interface AuditPlace {
  readonly node: bigint;
  readonly sequence: bigint;
}

export interface AuditRecord extends AuditPlace {
  /** The JSON that was hashed. */
  readonly record: string;
}

export interface AuditQuery {
  readonly organizationId: Id<'organization'>;
  /** Also the records that belong to no organization. */
  readonly withUnowned: boolean;
  readonly limit: number;
  /** Only records before this one in the order of the list. */
  readonly after: AuditPlace | undefined;
}

/** An organization's records, newest first, one beyond the limit when there are more. */
export function readAuditRecords(database: Database, of: AuditQuery): Promise<AuditRecord[]> {
  return database.read((db) => {
    let query = db
      .selectFrom('audit_records')
      .select(['node', 'sequence', 'record'])
      .where((eb) =>
        eb.or([
          has(MARK + JSON.stringify(of.organizationId)),
          has(shortMark(of.organizationId)),
          ...(of.withUnowned ? [eb.and([eb.not(has(MARK)), eb.not(IS_SHORT)])] : []),
        ]),
      )
      .limit(of.limit + 1);
    // An embedded database has one node, and its sequence is the key of the table.
    if (database.dialect === 'postgres') query = query.orderBy('node', 'desc');
    query = query.orderBy('sequence', 'desc');
    if (of.after !== undefined) {
      const { node, sequence } = of.after;
      query =
        database.dialect === 'postgres'
          ? query.where(sql<boolean>`(node, sequence) < (${node}, ${sequence})`)
          : query.where('sequence', '<', sequence);
    }
    return query;
  }, 'report');
}

/** A short record always has an organization. */
const IS_SHORT = sql<boolean>`substr(record, 1, 1) = '['`;

/** A quote inside a record's text is escaped, so this stands nowhere but where it is a field. */
const MARK = '"organization_id":';

function has(text: string) {
  return sql<boolean>`replace(record, ${text}, '') <> record`;
}
