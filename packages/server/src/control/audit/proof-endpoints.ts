/**
 * `GET /v1/audit/proofs/…`: that an event is under a signed checkpoint, and that one checkpoint follows from another.
 * Records of others are in them as hashes alone.
 */
import { readHeadBefore, readLeaves, readRecordAt } from '../../audit/checkpoints/proofs.ts';
import type { StoredCheckpoint } from '../../audit/checkpoints/checkpoint-store.ts';
import { readEvent } from '../../audit/stored-event.ts';
import { Denial } from '../../kernel/denial.ts';
import { EVERY_PERMISSION, type Key } from '../../keys/key.ts';
import type { Database } from '../../storage/database.ts';
import { MILESTONE_RECORDS } from '../../storage/chain-tip.ts';
import { type Endpoint, defineEndpoint, ok } from '../endpoint.ts';
import { z } from '../schemas.ts';
import { type CheckpointRooms, checkpointView, viewCheckpoint } from './checkpoint-endpoint.ts';
import { PLACE, nodeNumber, readPlace } from './place.ts';

export type ProofRooms = CheckpointRooms & { readonly database: Database };

/** There is a checkpoint at every milestone, so no event has more records between itself and the next. */
const INCLUSION_LEAVES_MAX = MILESTONE_RECORDS;
const CONSISTENCY_LEAVES_MAX = 10_000;

const size = z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER);
const hash = z.string();

const inclusionView = z.object({
  object: z.literal('audit.inclusion_proof'),
  event: z.string(),
  /** The bytes that were chained. */
  record: z.string(),
  head_before: hash,
  /** Of the records after it, up to the checkpoint. */
  leaves: z.array(hash),
  checkpoint: checkpointView,
  vkey: z.string(),
});

const consistencyView = z.object({
  object: z.literal('audit.consistency_proof'),
  from: checkpointView,
  to: checkpointView,
  /** Of the records after `after`, in their order. */
  leaves: z.array(hash),
  after: z.number(),
  has_more: z.boolean(),
  /** The `after` of the next page. */
  next_after: z.number().nullable(),
  vkey: z.string(),
});

export function proofEndpoints(rooms: ProofRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'get',
      path: '/v1/audit/proofs/inclusion',
      permission: 'audit:read',
      tag: 'Audit',
      summary: 'Prove that an event is under a signed checkpoint.',
      query: z.strictObject({ event: z.string().regex(PLACE, 'must be the id of an event') }),
      response: { status: 200, schema: inclusionView },
      handle: async ({ principal, query }) => proveInclusion(rooms, principal.key, query.event),
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/audit/proofs/consistency',
      permission: 'audit:read',
      tag: 'Audit',
      summary:
        'Prove that one checkpoint of a node follows from an earlier one: the leaf hashes between them.',
      query: z.strictObject({
        node: nodeNumber,
        from: size,
        to: size,
        after: size.optional(),
      }),
      response: { status: 200, schema: consistencyView },
      handle: async ({ query }) => proveConsistency(rooms, query),
    }),
  ];
}

async function proveInclusion(rooms: ProofRooms, key: Key, event: string) {
  const { database, checkpoints, checkpointKey } = rooms;
  const { node, number: sequence } = readPlace(event);
  const at = { node, sequence };
  const record = await readRecordAt(database, at);
  if (record === undefined || !maySee(key, record)) {
    return new Denial('not_found', { message: 'There is no such event.', param: 'event' });
  }
  const checkpoint = await checkpoints.covering(node, sequence);
  if (checkpoint === undefined) {
    return new Denial('not_found', {
      message: 'No checkpoint covers this event yet. There is one within a minute.',
      param: 'event',
    });
  }
  const headBefore = await readHeadBefore(database, at);
  const isBounded = checkpoint.size - sequence <= INCLUSION_LEAVES_MAX;
  const leaves = isBounded
    ? await readLeaves(database, { node, after: sequence, to: checkpoint.size })
    : undefined;
  if (headBefore === undefined || leaves === undefined) return gone('event');
  return ok({
    object: 'audit.inclusion_proof',
    event,
    record,
    head_before: headBefore,
    leaves,
    checkpoint: viewCheckpoint(checkpoint, checkpointKey),
    vkey: checkpointKey.vkey,
  });
}

/** As in the list of events: of the own organization, and those of none for keys with `'*'`. */
function maySee(key: Key, record: string): boolean {
  const organizationId = readOwner(record);
  return organizationId === undefined
    ? key.permissions.includes(EVERY_PERMISSION)
    : organizationId === key.organizationId;
}

/** A record that was edited into something else is of none: whoever sees everything sees that it is proved by nothing. */
function readOwner(record: string): string | undefined {
  try {
    return readEvent(record).organizationId;
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError)
      return undefined;
    throw error;
  }
}

async function proveConsistency(
  rooms: ProofRooms,
  query: {
    readonly node: number;
    readonly from: number;
    readonly to: number;
    readonly after?: number | undefined;
  },
) {
  const { database, checkpointKey } = rooms;
  const { node } = query;
  if (query.from >= query.to) {
    return new Denial('invalid_request', { message: "'from' must be less than 'to'.", param: 'from' });
  }
  const from = await findCheckpoint(rooms, { node, size: query.from, param: 'from' });
  if (from instanceof Denial) return from;
  const to = await findCheckpoint(rooms, { node, size: query.to, param: 'to' });
  if (to instanceof Denial) return to;
  const after = query.after ?? from.size;
  if (after < from.size || after > to.size) {
    return new Denial('invalid_request', {
      message: "'after' must be between 'from' and 'to'.",
      param: 'after',
    });
  }
  const end = Math.min(to.size, after + CONSISTENCY_LEAVES_MAX);
  const leaves = await readLeaves(database, { node, after, to: end });
  if (leaves === undefined) return gone('from');
  return ok({
    object: 'audit.consistency_proof',
    from: viewCheckpoint(from, checkpointKey),
    to: viewCheckpoint(to, checkpointKey),
    leaves,
    after,
    has_more: end < to.size,
    next_after: end < to.size ? end : null,
    vkey: checkpointKey.vkey,
  });
}

async function findCheckpoint(
  { checkpoints }: ProofRooms,
  of: { readonly node: number; readonly size: number; readonly param: string },
): Promise<StoredCheckpoint | Denial> {
  const found = await checkpoints.find(of);
  return (
    found ??
    new Denial('not_found', { message: `Node ${of.node} has no checkpoint of that size.`, param: of.param })
  );
}

function gone(param: string): Denial {
  return new Denial('not_found', { message: 'Records that the proof needs are not there.', param });
}
