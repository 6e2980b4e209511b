/** Reads the chains' records in their order, from either end, in bounded pages. */
import { sql } from 'kysely';
import type { DatabaseReader } from '../../storage/reader.ts';
import { NODES_MAX } from '../../storage/database.ts';

export interface StoredRecord {
  readonly sequence: number;
  /** The bytes that were chained. */
  readonly record: string;
}

export interface ChainedRecord extends StoredRecord {
  /** The chain's head after it. */
  readonly head: Uint8Array;
}

/** The first and the last record of a node's chain that are there. */
export interface ChainEdge {
  readonly node: number;
  readonly first: number;
  readonly last: number;
}

export class RecordSource {
  readonly #reader: DatabaseReader;

  constructor(reader: DatabaseReader) {
    this.#reader = reader;
  }

  /** Of every node that has records. */
  async edges(): Promise<ChainEdge[]> {
    const query = this.#reader.dialect === 'sqlite' ? EMBEDDED_EDGES : CLUSTER_EDGES;
    const rows = await this.#reader.read((db) => ({ compile: () => query.compile(db) }));
    return rows.flatMap(({ node, first, last }) =>
      first === null || last === null
        ? []
        : [{ node: Number(node), first: Number(first), last: Number(last) }],
    );
  }

  /** At most `limit` records after a sequence, the earliest first. */
  async readAfter(node: number, sequence: number, limit: number): Promise<StoredRecord[]> {
    const rows = await this.#reader.read((db) =>
      db
        .selectFrom('audit_records')
        .select(['sequence', 'record'])
        .where('node', '=', BigInt(node))
        .where('sequence', '>', BigInt(sequence))
        .orderBy('sequence')
        .limit(limit),
    );
    return rows.map((row) => ({ sequence: Number(row.sequence), record: row.record }));
  }

  /** As `readAfter`, with the heads that were stored. */
  async readChained(node: number, sequence: number, limit: number): Promise<ChainedRecord[]> {
    const rows = await this.#reader.read((db) =>
      db
        .selectFrom('audit_records')
        .select(['sequence', 'record', 'head'])
        .where('node', '=', BigInt(node))
        .where('sequence', '>', BigInt(sequence))
        .orderBy('sequence')
        .limit(limit),
    );
    return rows.map((row) => ({ sequence: Number(row.sequence), record: row.record, head: row.head }));
  }

  /** The records from `first` to `last`, the last first. */
  async readBack(node: number, first: number, last: number): Promise<StoredRecord[]> {
    const rows = await this.#reader.read((db) =>
      db
        .selectFrom('audit_records')
        .select(['sequence', 'record'])
        .where('node', '=', BigInt(node))
        .where('sequence', '>=', BigInt(first))
        .where('sequence', '<=', BigInt(last))
        .orderBy('sequence', 'desc'),
    );
    return rows.map((row) => ({ sequence: Number(row.sequence), record: row.record }));
  }

  /** The last record of a node that was committed until a time. */
  async lastUntil(node: number, timeMs: number): Promise<number | undefined> {
    const [row] = await this.#reader.read((db) =>
      db
        .selectFrom('audit_records')
        .select('sequence')
        .where('node', '=', BigInt(node))
        .where('at', '<=', BigInt(timeMs))
        .orderBy('sequence', 'desc')
        .limit(1),
    );
    return row === undefined ? undefined : Number(row.sequence);
  }
}

interface EdgeRow {
  readonly node: bigint;
  readonly first: bigint | null;
  readonly last: bigint | null;
}

const EMBEDDED_EDGES = sql<EdgeRow>`select 1 as node, min(sequence) as first,
  (select max(sequence) from audit_records) as last from (select min(sequence) as sequence from audit_records)`;

/** Two looks into the key for each node: the records themselves are not counted. */
const CLUSTER_EDGES = sql<EdgeRow>`select node,
    (select sequence from audit_records as r where r.node = n.node order by sequence limit 1) as first,
    (select sequence from audit_records as r where r.node = n.node order by sequence desc limit 1) as last
  from generate_series(1, ${sql.lit(NODES_MAX.postgres)}) as n (node)`;
