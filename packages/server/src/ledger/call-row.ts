/** A call that has ended, as it is read: its row, and what it has in common with others, as texts again. */
import { type Id, type Nanos, nanos } from '@keyfold/protocol';
import { type Kysely, sql } from 'kysely';
import type { Usage } from '../pricing/model-price.ts';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import { packedSql, unpackId } from './packed-id.ts';
import type { Resolution } from './reservation.ts';
import { TOKEN_CLASSES, type TokenCounts, mapTokens } from './token-classes.ts';

/** A row stores the place of a word in these lists. New words go to the end. */
export const RESOLUTIONS = ['settlement', 'release', 'expiry', 'correction'] as const satisfies (
  | Resolution['kind']
  | 'correction'
)[];
/** What a row in `calls` is: how a call ended, or that what it cost was corrected. */
export type CallEnd = (typeof RESOLUTIONS)[number];
export const PROVENANCES = ['provider', 'counted', 'estimated'] as const satisfies Usage['provenance'][];

export interface CallRow {
  readonly id: Id<'reservation'>;
  readonly requestId: Id<'request'>;
  readonly organizationId: string;
  readonly projectId: string;
  readonly keyId: string;
  readonly keyVersion: number;
  readonly endpoint: string;
  readonly provider: string;
  readonly model: string;
  readonly credentialId: string | null;
  readonly route: string | null;
  /** Of a child key. */
  readonly parentId: string | null;
  readonly streamed: boolean;
  readonly attempt: number;
  readonly resolution: CallEnd;
  readonly provenance: Usage['provenance'];
  readonly status: number;
  readonly error: string | null;
  readonly flags: readonly string[];
  readonly tokens: TokenCounts<number>;
  readonly held: Nanos;
  readonly cost: Nanos;
  readonly reservedAtMs: number;
  readonly resolvedAtMs: number;
}

type ReadRow = Awaited<ReturnType<ReturnType<typeof selectCalls>['execute']>>[number];

/** The rows of calls with their sources, as `c` and `s`; what is selected is read by `readCall`. */
export function selectCalls(db: Kysely<Schema>, dialect: Database['dialect']) {
  const packed = packedSql(dialect);
  return (
    db
      .selectFrom('calls as c')
      // SQLite takes the tables of a cross join in their order: calls are what the page is cut from.
      .crossJoin('call_sources as s')
      .whereRef('s.no', '=', 'c.source')
      .select([
        packed.read('c.id').as('packed_id'),
        packed.read('c.request_id').as('packed_request_id'),
        's.organization_id',
        's.project_id',
        's.key_id',
        's.endpoint',
        's.provider',
        's.model',
        's.credential_id',
        's.route',
        's.parent_id',
        'c.key_version',
        'c.streamed',
        'c.attempt',
        'c.resolution',
        'c.provenance',
        'c.status',
        'c.error',
        'c.flags',
        ...TOKEN_CLASSES.map((each) => sql.ref<bigint | null>(`c.${each}`).as(each)),
        'c.held_nanos',
        'c.cost_nanos',
        'c.reserved_at',
        'c.duration_ms',
      ])
  );
}

export function readCall(row: ReadRow): CallRow {
  const reservedAtMs = Number(row.reserved_at);
  return {
    id: unpackId('reservation', row.packed_id),
    requestId: unpackId('request', row.packed_request_id),
    organizationId: row.organization_id,
    projectId: row.project_id,
    keyId: row.key_id,
    keyVersion: Number(row.key_version),
    endpoint: row.endpoint,
    provider: row.provider,
    model: row.model,
    credentialId: row.credential_id,
    route: row.route,
    parentId: row.parent_id,
    streamed: row.streamed === 1n,
    attempt: Number(row.attempt),
    resolution: wordAt(RESOLUTIONS, row.resolution),
    provenance: wordAt(PROVENANCES, row.provenance),
    status: Number(row.status),
    error: row.error,
    flags: row.flags === null ? [] : row.flags.split(' '),
    tokens: mapTokens((each) => Number(row[each] ?? 0)),
    held: nanos(row.held_nanos),
    cost: nanos(row.cost_nanos),
    reservedAtMs,
    resolvedAtMs: reservedAtMs + Number(row.duration_ms),
  };
}

function wordAt<Word>(words: readonly Word[], place: bigint): Word {
  const word = words[Number(place)];
  if (word === undefined) throw new RangeError(`a call's row says ${place} where a newer Keyfold has a word`);
  return word;
}
