/** `GET /v1/audit/sinks`: what each sink has, what it lacks, and how it went. */
import type { AuditSinks } from '../../audit/sinks/audit-sinks.ts';
import type { SinkStatus } from '../../audit/sinks/sink-delivery.ts';
import { Denial } from '../../kernel/denial.ts';
import { EVERY_PERMISSION } from '../../keys/key.ts';
import { type Endpoint, type Json, defineEndpoint, ok } from '../endpoint.ts';
import { renderTime } from '../list-page.ts';
import { listOf, z } from '../schemas.ts';

export interface SinkRooms {
  readonly sinks: AuditSinks;
}

const sinkView = z
  .object({
    id: z.enum(['file', 'syslog', 'webhook']),
    nodes: z.array(z.object({ node: z.number(), delivered_size: z.number(), pending: z.number() })),
    /** Checkpoints that it does not have. */
    pending: z.number(),
    /** When the oldest of them was signed. */
    oldest_pending_at: z.string().nullable(),
    last_success_at: z.string().nullable(),
    /** Of the process that answers, since its last success. */
    last_error: z.string().nullable(),
  })
  .openapi('AuditSink');

export function sinksEndpoint({ sinks }: SinkRooms): Endpoint {
  return defineEndpoint({
    method: 'get',
    path: '/v1/audit/sinks',
    permission: 'audit:read',
    tag: 'Audit',
    summary: "How far the sinks of checkpoints are. For keys with '*': it concerns the whole installation.",
    response: { status: 200, schema: listOf(sinkView) },
    handle: async ({ principal }) => {
      if (!principal.key.permissions.includes(EVERY_PERMISSION)) {
        return new Denial('permission_denied', { message: "Only keys with '*' may see the sinks." });
      }
      const statuses = await sinks.statuses();
      return ok({
        object: 'list',
        data: statuses.map((status) => viewSink(status)),
        has_more: false,
        first_id: statuses[0]?.name ?? null,
        last_id: statuses.at(-1)?.name ?? null,
      });
    },
  });
}

function viewSink(status: SinkStatus): Json {
  return {
    id: status.name,
    nodes: status.nodes.map(({ node, size, pending }) => ({ node, delivered_size: size, pending })),
    pending: status.pending,
    oldest_pending_at: renderTime(status.oldestAtMs),
    last_success_at: renderTime(status.lastSuccessMs),
    last_error: status.lastError ?? null,
  };
}
