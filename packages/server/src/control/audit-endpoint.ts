/** `GET /v1/audit/events`: the organization's audit records as they are chained, newest first. */
import type { Id } from '@keyfold/protocol';
import { sql } from 'kysely';
import { EVERY_PERMISSION } from '../keys/key.ts';
import type { Database } from '../storage/database.ts';
import { type Endpoint, type Json, defineEndpoint, ok } from './endpoint.ts';
import { renderPage } from './list-page.ts';
import { listOf, listQuery, z } from './schemas.ts';

export interface AuditRooms {
  readonly database: Database;
}

const CURSOR = /^(\d{1,10})-(\d{1,15})$/;

const auditView = z
  .looseObject({
    id: z.string(),
    sequence: z.number(),
    time: z.string(),
    node: z.number(),
    actor: z.string(),
    action: z.string(),
    target: z.string(),
    decision: z.enum(['allowed', 'denied']),
    request_id: z.string().optional(),
    organization_id: z.string().optional(),
    cost_usd: z.string().optional(),
    detail: z.looseObject({}).optional(),
  })
  .openapi('AuditEvent');

export function auditEndpoint(rooms: AuditRooms): Endpoint {
  return defineEndpoint({
    method: 'get',
    path: '/v1/audit/events',
    permission: 'audit:read',
    tag: 'Audit',
    summary: "List audit events, newest first. Those of no organization are shown to keys with '*'.",
    query: listQuery
      .omit({ before: true })
      .extend({ after: z.string().regex(CURSOR, 'must be the id of an event').optional() }),
    response: { status: 200, schema: listOf(auditView) },
    handle: async ({ principal, query }) => {
      const { organizationId, permissions } = principal.key;
      const seesAll = permissions.includes(EVERY_PERMISSION);
      const rows = await readRecords(rooms.database, { organizationId, seesAll, ...query });
      return ok(
        renderPage(rows, query, {
          id: recordId,
          view: (row) => ({ id: recordId(row), ...(JSON.parse(row.record) as { [name: string]: Json }) }),
        }),
      );
    },
  });
}

interface RecordRow {
  readonly node: bigint;
  readonly sequence: bigint;
  readonly record: string;
}

function readRecords(
  database: Database,
  of: {
    readonly organizationId: Id<'organization'>;
    readonly seesAll: boolean;
    readonly limit: number;
    readonly after?: string | undefined;
  },
): Promise<RecordRow[]> {
  const [, node = '', sequence = ''] = CURSOR.exec(of.after ?? '') ?? [];
  return database.read((db) => {
    let query = db
      .selectFrom('audit_records')
      .select(['node', 'sequence', 'record'])
      .where((eb) =>
        eb.or([has(MARK + JSON.stringify(of.organizationId)), ...(of.seesAll ? [eb.not(has(MARK))] : [])]),
      )
      .orderBy('node', 'desc')
      .orderBy('sequence', 'desc')
      .limit(of.limit + 1);
    if (of.after !== undefined) {
      query = query.where(sql<boolean>`(node, sequence) < (${BigInt(node)}, ${BigInt(sequence)})`);
    }
    return query;
  });
}

/** A quote inside a record's text is escaped, so this stands nowhere but where it is a field. */
const MARK = '"organization_id":';

function has(text: string) {
  return sql<boolean>`replace(record, ${text}, '') <> record`;
}

function recordId({ node, sequence }: RecordRow): string {
  return `${node}-${sequence}`;
}
