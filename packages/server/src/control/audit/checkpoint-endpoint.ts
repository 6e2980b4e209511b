/** `GET /v1/audit/checkpoints`: the signed checkpoints, newest first, and what they are verified with. */
import type { CheckpointStore, StoredCheckpoint } from '../../audit/checkpoints/checkpoint-store.ts';
import type { Checkpointer } from '../../audit/checkpoints/checkpointer.ts';
import type { CheckpointKey } from '../../sealing/checkpoint-key.ts';
import { type Endpoint, type Json, defineEndpoint, ok } from '../endpoint.ts';
import { renderPage, renderTime } from '../list-page.ts';
import { listQuery, z } from '../schemas.ts';
import { PLACE, nodeNumber, readPlace } from './place.ts';

export interface CheckpointRooms {
  readonly checkpoints: CheckpointStore;
  readonly checkpointKey: CheckpointKey;
  readonly checkpointer: Pick<Checkpointer, 'inconsistencies'>;
}

export const checkpointView = z
  .object({
    id: z.string(),
    origin: z.string(),
    node: z.number(),
    /** Records that it covers. */
    size: z.number(),
    time: z.string(),
    head: z.string(),
    /** The signed note, whole. */
    note: z.string(),
  })
  .openapi('AuditCheckpoint');

const checkpointList = z.object({
  object: z.literal('list'),
  /** What the notes are verified with. */
  vkey: z.string(),
  /** Nodes for which this process signs nothing any more, since their chains contradict what was signed of them. */
  inconsistent: z.array(z.object({ node: z.number(), size: z.number(), why: z.string() })),
  data: z.array(checkpointView),
  has_more: z.boolean(),
  first_id: z.string().nullable(),
  last_id: z.string().nullable(),
});

export function checkpointEndpoint(rooms: CheckpointRooms): Endpoint {
  return defineEndpoint({
    method: 'get',
    path: '/v1/audit/checkpoints',
    permission: 'audit:read',
    tag: 'Audit',
    summary: 'List signed checkpoints of the audit log, newest first, one node after another.',
    query: listQuery.omit({ before: true }).extend({
      node: nodeNumber.optional(),
      after: z.string().regex(PLACE, 'must be the id of a checkpoint').optional(),
    }),
    response: { status: 200, schema: checkpointList },
    handle: async ({ query }) => {
      const after = query.after === undefined ? undefined : readPlace(query.after);
      const rows = await rooms.checkpoints.list({
        node: query.node,
        limit: query.limit,
        after: after === undefined ? undefined : { node: after.node, size: after.number },
      });
      const page = renderPage(rows, query, {
        id: idOf,
        view: (row) => viewCheckpoint(row, rooms.checkpointKey),
      }) as { readonly [name: string]: Json };
      const { object, ...rest } = page;
      const inconsistent = rooms.checkpointer.inconsistencies.map((of) => ({ ...of }));
      return ok({ object, vkey: rooms.checkpointKey.vkey, inconsistent, ...rest });
    },
  });
}

export function viewCheckpoint(row: StoredCheckpoint, key: CheckpointKey): Json {
  const { node, size, atMs, head, note } = row;
  return { id: idOf(row), origin: key.originOf(node), node, size, time: renderTime(atMs), head, note };
}

function idOf({ node, size }: StoredCheckpoint): string {
  return `${node}-${size}`;
}
