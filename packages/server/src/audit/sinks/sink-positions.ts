/** How far each sink has the checkpoints of each node, and what it lacks. */
import { sql } from 'kysely';
import { allNodes } from '../checkpoints/left-nodes.ts';
import type { Database } from '../../storage/database.ts';
import type { SqlStep } from '../../storage/statement.ts';

export interface SinkPosition {
  readonly node: number;
  /** Size of the newest checkpoint that was delivered; 0 when none was. */
  readonly size: number;
  /** When it was. */
  readonly deliveredAtMs: number | undefined;
  /** Checkpoints that were not, counted up to `PENDING_COUNTED_MAX`. */
  readonly pending: number;
  /** When the oldest of them was signed. */
  readonly oldestAtMs: number | undefined;
}

const PENDING_COUNTED_MAX = 10_000;

/** Of every node that has checkpoints. */
export async function readPositions(database: Database, sink: string): Promise<readonly SinkPosition[]> {
  const size = sql<bigint>`coalesce(position.size, 0)`;
  const rows = await database.read((db) =>
    db
      .selectFrom(allNodes(database).as('nodes'))
      .leftJoin('audit_sink_positions as position', (join) =>
        join.onRef('position.node', '=', 'nodes.node').on('position.sink', '=', sink),
      )
      .select([
        'nodes.node',
        size.as('size'),
        'position.at as delivered_at',
        sql<bigint | null>`(select at from audit_checkpoints where node = nodes.node and size > ${size}
          order by size limit 1)`.as('oldest_at'),
        sql<bigint>`(select count(*) from (select 1 as one from audit_checkpoints
          where node = nodes.node and size > ${size} limit ${sql.lit(PENDING_COUNTED_MAX)}) as pending)`.as(
          'pending',
        ),
      ])
      .where(sql<boolean>`exists (select 1 from audit_checkpoints where node = nodes.node)`)
      .orderBy('nodes.node'),
  );
  return rows.map((row) => ({
    node: Number(row.node),
    size: Number(row.size),
    deliveredAtMs: row.delivered_at === null ? undefined : Number(row.delivered_at),
    pending: Number(row.pending),
    oldestAtMs: row.oldest_at === null ? undefined : Number(row.oldest_at),
  }));
}

/** Whether a sink has had a checkpoint of any node. */
export async function hasPositions(database: Database, sink: string): Promise<boolean> {
  const rows = await database.read((db) =>
    db.selectFrom('audit_sink_positions').select('node').where('sink', '=', sink).limit(1),
  );
  return rows.length > 0;
}

/** Never backwards: another process may have delivered more meanwhile. */
export function moveStep(
  database: Database,
  to: { readonly sink: string; readonly node: number; readonly size: number; readonly atMs: number },
): SqlStep {
  const { sink, node, size, atMs } = to;
  return database.step((db) =>
    db
      .insertInto('audit_sink_positions')
      .values({ sink, node, size, at: atMs })
      .onConflict((conflict) =>
        conflict
          .columns(['sink', 'node'])
          .doUpdateSet({ size, at: atMs })
          .where('audit_sink_positions.size', '<', BigInt(size)),
      ),
  );
}
