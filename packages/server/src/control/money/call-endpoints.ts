/** Calls, one row each, as the ledger settled them. */
import { formatUsd } from '@keyfold/protocol';
import { Denial } from '../../kernel/denial.ts';
import type { CallRow, LedgerReports } from '../../ledger/reports.ts';
import { RESOLUTIONS } from '../../ledger/call-row.ts';
import { counterpartOf } from '../../ledger/packed-id.ts';
import { mapTokens } from '../../ledger/token-classes.ts';
import { type Endpoint, type Json, defineEndpoint, ok } from '../endpoint.ts';
import { renderPage, renderTime } from '../list-page.ts';
import { checkRange, idParams, listOf, listQuery, time, z } from '../schemas.ts';

export interface CallRooms {
  readonly reports: LedgerReports;
}

const TAG = 'Usage';
/** A cursor is the id of a call, which need not exist any more. */
const callId = z.string().regex(/^res_[0-7][0-9a-hjkmnp-tv-z]{25}$/, 'must be the id of a call');
const callView = z
  .object({
    object: z.literal('call'),
    id: z.string(),
    request_id: z.string(),
    project_id: z.string(),
    key_id: z.string(),
    key_version: z.number(),
    credential_id: z.string().nullable(),
    endpoint: z.string(),
    provider: z.string(),
    model: z.string(),
    streamed: z.boolean(),
    attempt: z.number(),
    route: z.string().nullable(),
    status: z.number(),
    error: z.string().nullable(),
    outcome: z.enum(RESOLUTIONS),
    /** Of a correction: the call whose cost it changes, by `cost_usd`. */
    corrects: z.string().nullable(),
    provenance: z.enum(['provider', 'counted', 'estimated']),
    flags: z.array(z.string()),
    ...mapTokens(() => z.number()),
    held_usd: z.string(),
    cost_usd: z.string(),
    created_at: z.string(),
    ended_at: z.string(),
    duration_ms: z.number(),
  })
  .openapi('Call');

export function callEndpoints(rooms: CallRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'get',
      path: '/v1/calls',
      permission: 'usage:read',
      tag: TAG,
      summary: 'List calls that have ended, newest first.',
      query: listQuery.extend({
        after: callId.optional(),
        before: callId.optional(),
        key_id: z.string().max(100).optional(),
        project_id: z.string().max(100).optional(),
        request_id: z.string().max(100).optional(),
        model: z.string().max(300).optional(),
        provider: z.string().max(100).optional(),
        credential_id: z.string().max(100).optional(),
        from: time.optional(),
        to: time.optional(),
      }),
      response: { status: 200, schema: listOf(callView) },
      handle: async ({ principal, query }) => {
        const wrong = checkRange(query);
        if (wrong !== undefined) return wrong;
        const rows = await rooms.reports.listCalls(
          {
            organizationId: principal.key.organizationId,
            keyId: query.key_id,
            projectId: query.project_id,
            requestId: query.request_id,
            model: query.model,
            provider: query.provider,
            credentialId: query.credential_id,
            fromMs: query.from,
            toMs: query.to,
          },
          query,
        );
        return ok(renderPage(rows, query, { id: ({ id }) => id, view: renderCall }));
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/calls/{id}',
      permission: 'usage:read',
      tag: TAG,
      summary: 'Show a call that has ended.',
      params: idParams,
      response: { status: 200, schema: callView },
      handle: async ({ principal, params }) => {
        const row = await rooms.reports.findCall(principal.key.organizationId, params.id);
        return row === undefined ? new Denial('not_found') : ok(renderCall(row));
      },
    }),
  ];
}

function renderCall(row: CallRow): Json {
  return {
    object: 'call',
    id: row.id,
    request_id: row.requestId,
    project_id: row.projectId,
    key_id: row.keyId,
    key_version: row.keyVersion,
    credential_id: row.credentialId,
    endpoint: row.endpoint,
    provider: row.provider,
    model: row.model,
    streamed: row.streamed,
    attempt: row.attempt,
    route: row.route,
    status: row.status,
    error: row.error,
    outcome: row.resolution,
    corrects: row.resolution === 'correction' ? counterpartOf(row.id) : null,
    provenance: row.provenance,
    flags: [...row.flags],
    ...row.tokens,
    held_usd: formatUsd(row.held),
    cost_usd: formatUsd(row.cost),
    created_at: renderTime(row.reservedAtMs),
    ended_at: renderTime(row.resolvedAtMs),
    duration_ms: row.resolvedAtMs - row.reservedAtMs,
  };
}
