/** Reads what an export is of: the whole log, so that it can be verified, or the events of one organization. */
import type { Database } from '../../storage/database.ts';
import { isOfOrganization } from './is-of-organization.ts';
import {
  type ChainRow,
  type Stretch,
  findSequenceAt,
  findSignedSize,
  readRows,
  readStretches,
} from './read-chain.ts';

export interface ExportQuery {
  /** Absent: the whole log, which begins where a checkpoint says what came before. */
  readonly organizationId?: string | undefined;
  readonly node?: number | undefined;
  readonly fromMs?: number | undefined;
  /** Not this time itself. */
  readonly toMs?: number | undefined;
}

/** Node after node, each in the order of its chain, as far as they went when the export began. */
export async function* readExport(
  database: Database,
  query: ExportQuery,
): AsyncGenerator<readonly ChainRow[]> {
  const { organizationId, node } = query;
  for (const stretch of await readStretches(database)) {
    if (node !== undefined && stretch.node !== node) continue;
    for await (const rows of readRows(database, await cut(database, stretch, query))) {
      yield organizationId === undefined
        ? rows
        : rows.filter(({ record }) => isOfOrganization(record, organizationId));
    }
  }
}

async function cut(database: Database, stretch: Stretch, query: ExportQuery): Promise<Stretch> {
  const { organizationId, fromMs, toMs } = query;
  const from = fromMs === undefined ? stretch.first : await findSequenceAt(database, stretch, fromMs);
  const to = toMs === undefined ? stretch.last + 1 : await findSequenceAt(database, stretch, toMs);
  const first = organizationId === undefined ? await alignToSigned(database, stretch, from) : from;
  return { node: stretch.node, first, last: to - 1 };
}

/** Back to where a checkpoint proves what came before: else the first records could not be verified. */
async function alignToSigned(database: Database, stretch: Stretch, from: number): Promise<number> {
  if (from === stretch.first) return from;
  const signed = await findSignedSize(database, { node: stretch.node, sizeMax: from - 1 });
  return Math.max(stretch.first, (signed?.size ?? 0) + 1);
}
