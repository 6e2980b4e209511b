/** `GET /v1/audit/events`: the organization's audit records as they are chained, newest first. */
import { type AuditRecord, readAuditRecords } from '../audit/audit-reader.ts';
import { readRecord } from '../audit/call-record.ts';
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
      const records = await readAuditRecords(rooms.database, {
        organizationId,
        withUnowned: permissions.includes(EVERY_PERMISSION),
        limit: query.limit,
        after: query.after === undefined ? undefined : parseCursor(query.after),
      });
      return ok(
        renderPage(records, query, {
          id: recordId,
          view: (of) => ({ id: recordId(of), ...(readRecord(of.record) as { [name: string]: Json }) }),
        }),
      );
    },
  });
}

/** The record that a cursor names; the query's schema has checked its form. */
function parseCursor(text: string): { readonly node: bigint; readonly sequence: bigint } {
  const [, node = '', sequence = ''] = CURSOR.exec(text) ?? [];
  return { node: BigInt(node), sequence: BigInt(sequence) };
}

function recordId({ node, sequence }: AuditRecord): string {
  return `${node}-${sequence}`;
}
