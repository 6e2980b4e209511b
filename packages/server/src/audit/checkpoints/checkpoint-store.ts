/** Keeps signed checkpoints, and finds them: the newest of a node, a page of them, the first that covers a record. */
import { sql } from 'kysely';
import type { CheckpointKey } from '../../sealing/checkpoint-key.ts';
import type { ChainState } from '../../storage/audit-chain.ts';
import type { Database } from '../../storage/database.ts';
import type { SqlStep } from '../../storage/statement.ts';

export interface StoredCheckpoint {
  readonly node: number;
  /** Records that it covers: the sequence of the last one. */
  readonly size: number;
  readonly atMs: number;
  /** Base64, as in the note. */
  readonly head: string;
  readonly note: string;
}

/** A checkpoint's place among those of all nodes. */
export interface CheckpointPlace {
  readonly node: number;
  readonly size: number;
}

/** More than a note or a head ever has: what is longer was not written by Keyfold, and is read as nothing. */
const TEXT_CHARACTERS_MAX = 1_024;

/** The row says what its note says, and the note is signed by the key. */
export function isGenuine({ node, size, head, note }: StoredCheckpoint, key: CheckpointKey): boolean {
  const signed = key.open(note);
  return (
    signed?.node === node && signed.size === size && Buffer.from(signed.head).toString('base64') === head
  );
}

export function stateOf({ size, head }: StoredCheckpoint): ChainState {
  return { sequence: size, head: Buffer.from(head, 'base64').toString('base64url') };
}

export class CheckpointStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Refused when there is one of this size already, or a larger one: whoever came first has signed. */
  insertStep({ node, size, atMs, head, note }: StoredCheckpoint): SqlStep {
    return this.#database.step(
      (db) =>
        db
          .insertInto('audit_checkpoints')
          .columns(['node', 'size', 'at', 'head', 'note'])
          .expression(
            db
              .selectNoFrom([
                sql<bigint>`cast(${node} as bigint)`.as('node'),
                sql<bigint>`cast(${size} as bigint)`.as('size'),
                sql<bigint>`cast(${atMs} as bigint)`.as('at'),
                sql<string>`cast(${head} as text)`.as('head'),
                sql<string>`cast(${note} as text)`.as('note'),
              ])
              .where((eb) =>
                eb.not(
                  eb.exists(
                    eb
                      .selectFrom('audit_checkpoints')
                      .select('size')
                      .where('node', '=', BigInt(node))
                      .where('size', '>=', BigInt(size)),
                  ),
                ),
              ),
          )
          .onConflict((conflict) => conflict.doNothing()),
      'changes-row',
    );
  }

  async newestOf(node: number): Promise<StoredCheckpoint | undefined> {
    const rows = await this.#read((query) =>
      query.where('node', '=', BigInt(node)).orderBy('size', 'desc').limit(1),
    );
    return rows[0];
  }

  /** Those after a size, in their order. */
  after({ node, size }: CheckpointPlace, limit: number): Promise<StoredCheckpoint[]> {
    return this.#read((query) =>
      query.where('node', '=', BigInt(node)).where('size', '>', BigInt(size)).orderBy('size').limit(limit),
    );
  }

  async find({ node, size }: CheckpointPlace): Promise<StoredCheckpoint | undefined> {
    const rows = await this.#read((query) =>
      query.where('node', '=', BigInt(node)).where('size', '=', BigInt(size)),
    );
    return rows[0];
  }

  /** The first that covers a record. */
  async covering(node: number, sequence: number): Promise<StoredCheckpoint | undefined> {
    const [first] = await this.after({ node, size: sequence - 1 }, 1);
    return first;
  }

  /** Newest first, the nodes one after another; one beyond the limit when there are more. */
  list(of: {
    readonly node: number | undefined;
    readonly after: CheckpointPlace | undefined;
    readonly limit: number;
  }): Promise<StoredCheckpoint[]> {
    return this.#read((query) => {
      let wanted = query
        .orderBy('node', 'desc')
        .orderBy('size', 'desc')
        .limit(of.limit + 1);
      if (of.node !== undefined) wanted = wanted.where('node', '=', BigInt(of.node));
      if (of.after === undefined) return wanted;
      return wanted.where(sql<boolean>`(node, size) < (${of.after.node}, ${of.after.size})`);
    });
  }

  async #read(narrow: (query: CheckpointQuery) => CheckpointQuery): Promise<StoredCheckpoint[]> {
    const rows = await this.#database.read((db) => narrow(startQuery(db)));
    return rows.map(({ node, size, at, head, note }) => ({
      node: Number(node),
      size: Number(size),
      atMs: Number(at),
      head,
      note,
    }));
  }
}

type CheckpointQuery = ReturnType<typeof startQuery>;

function startQuery(db: Parameters<Parameters<Database['read']>[0]>[0]) {
  return db
    .selectFrom('audit_checkpoints')
    .select(['node', 'size', 'at', bounded('head').as('head'), bounded('note').as('note')]);
}

function bounded(column: 'head' | 'note') {
  const text = sql.ref(column);
  return sql<string>`case when length(${text}) <= ${sql.lit(TEXT_CHARACTERS_MAX)} then ${text} else '' end`;
}
