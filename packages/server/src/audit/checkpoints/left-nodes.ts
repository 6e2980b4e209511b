/** Finds nodes whose records nobody signs: their process is gone, or cannot. */
import { sql } from 'kysely';
import type { ChainPoint } from '../../storage/chain-memory.ts';
import { headText } from '../../storage/audit-chain.ts';
import { type Database, NODES_MAX } from '../../storage/database.ts';

/** A living process signs each minute; what is older was left. */
export const LEFT_AFTER_MS = 120_000;

/**
 * The ends of the chains that have records beyond their last checkpoint of which the first is older than that. Whoever signs
 * them needs no lock: what is committed stays, so a checkpoint of it is consistent with whatever follows.
 */
export async function findLeftNodes(database: Database, nowMs: number): Promise<readonly ChainPoint[]> {
  const left = nowMs - LEFT_AFTER_MS;
  const rows = await database.read((db) =>
    db
      .selectFrom(allNodes(database).as('nodes'))
      .innerJoin('audit_records as last', (join) =>
        join
          .onRef('last.node', '=', 'nodes.node')
          .on(
            'last.sequence',
            '=',
            sql<bigint>`(select max(sequence) from audit_records where node = nodes.node)`,
          ),
      )
      .select(['last.node', 'last.sequence', 'last.head'])
      .where(
        sql<boolean>`exists (select 1 from audit_records as first where first.node = nodes.node and first.at < ${left}
          and first.sequence = (select min(sequence) from audit_records where node = nodes.node and sequence >
            coalesce((select max(size) from audit_checkpoints where node = nodes.node), 0)))`,
      ),
  );
  return rows.map(({ node, sequence, head }) => ({
    node: Number(node),
    sequence: Number(sequence),
    head: headText(head),
  }));
}

/** A table of the numbers of all nodes that there may be: each is looked up by its key, and no table is read as a whole. */
export function allNodes(database: Pick<Database, 'dialect'>) {
  const rows = Array.from(
    { length: NODES_MAX[database.dialect] },
    (_, index) => `select ${index + 1} as node`,
  );
  return sql<{ node: bigint }>`(${sql.raw(rows.join(' union all '))})`;
}
