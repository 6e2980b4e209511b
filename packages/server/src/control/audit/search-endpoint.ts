/** `GET /v1/audit/events`: the organization's audit records that match, newest first. */
import type { SearchPage, SearchQuery } from '../../audit/search/search-log.ts';
import { renderPlace } from '../../audit/place.ts';
import { viewRecord } from '../../audit/view-record.ts';
import { type Endpoint, type Json, defineEndpoint, ok } from '../endpoint.ts';
import { checkRange, listOf, listQuery, z } from '../schemas.ts';
import { filterQuery, periodQuery, place, toFilter } from './filter-input.ts';

export interface AuditSearcher {
  /** Throws `Fault('unavailable')`. */
  search(query: SearchQuery): Promise<SearchPage>;
}

export interface SearchRooms {
  readonly auditThread: AuditSearcher;
}

export const auditView = z
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
    address: z.string().optional(),
    cost_usd: z.string().optional(),
    detail: z.looseObject({}).optional(),
  })
  .openapi('AuditEvent');

const searchQuery = listQuery
  .omit({ before: true, after: true })
  .extend(filterQuery.shape)
  .extend(periodQuery)
  .extend({ after: place.optional() });

export function searchEndpoint({ auditThread }: SearchRooms): Endpoint {
  return defineEndpoint({
    method: 'get',
    path: '/v1/audit/events',
    permission: 'audit:read',
    tag: 'Audit',
    summary:
      "Search audit events, newest first. A page may have fewer than 'limit' where looking takes long: go on with its 'last_id'.",
    query: searchQuery,
    response: { status: 200, schema: listOf(auditView) },
    handle: async ({ principal, query }) => {
      const refused = checkRange(query);
      if (refused !== undefined) return refused;
      const { limit, after } = query;
      return ok(renderFound(await auditThread.search({ filter: toFilter(principal, query), after, limit })));
    },
  });
}

/** Where more may come, `last_id` says how far the page has looked, which may be beyond its last event. */
function renderFound({ records, next }: SearchPage): Json {
  const data = records.map(({ record }) => viewRecord(record) as { readonly [name: string]: Json });
  return {
    object: 'list',
    data,
    has_more: next !== undefined,
    first_id: data[0]?.['id'] ?? null,
    last_id: next === undefined ? (data.at(-1)?.['id'] ?? null) : renderPlace(next),
  };
}
