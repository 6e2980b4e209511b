/** Finds nodes whose records nobody signs: their process is gone, or cannot. */
import { sql } from 'kysely';
import type { ChainPoint } from '../../storage/chain-memory.ts';
import { headText } from '../../storage/audit-chain.ts';
import { type Database, NODES_MAX } from '../../storage/database.ts';

/** The time in which a process that has lost its connection is back. By the rows, so it proves nothing by itself. */
export const LEFT_AFTER_MS = 120_000;

/**
 * The ends of the chains that have records beyond their last checkpoint of which the first is older than that,
 * and whose numbers nobody holds: a living process knows better than its rows. Whoever signs them needs no lock: what is
 * committed stays, so a checkpoint of it is consistent with whatever follows.
 */
export async function findLeftNodes(database: Database, nowMs: number): Promise<readonly ChainPoint[]> {
  const rows = await database.read((db) =>
    db.selectFrom(allNodes(database).as('nodes')).select([
      'nodes.node',
      // One look into an index each, whatever the tables hold: a planner that knows nothing of them has no choice.
      sql<bigint | null>`(select sequence from audit_records where node = nodes.node
        order by sequence desc limit 1)`.as('sequence'),
      sql<Uint8Array | null>`(select head from audit_records where node = nodes.node
        order by sequence desc limit 1)`.as('head'),
      sql<bigint | null>`(select at from audit_records where node = nodes.node and sequence >
        coalesce((select size from audit_checkpoints where node = nodes.node order by size desc limit 1), 0)
        order by sequence limit 1)`.as('unsigned_since'),
    ]),
  );
  const living = await database.livingNodes();
  const left: ChainPoint[] = [];
  for (const { node, sequence, head, unsigned_since: since } of rows) {
    if (sequence === null || head === null || since === null || nowMs - Number(since) < LEFT_AFTER_MS)
      continue;
    if (living.has(Number(node))) continue;
    left.push({ node: Number(node), sequence: Number(sequence), head: headText(head) });
  }
  return left;
}

/** A table of the numbers of all nodes that there may be: each is looked up by its key, and no table is read as a whole. */
export function allNodes(database: Pick<Database, 'dialect'>) {
  const rows = Array.from(
    { length: NODES_MAX[database.dialect] },
    (_, index) => `select ${index + 1} as node`,
  );
  return sql<{ node: bigint }>`(${sql.raw(rows.join(' union all '))})`;
}
