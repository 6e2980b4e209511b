/** Folds the records of a node, as they are in the database, from one state of its chain to another, and says where they break. */
import type { Database } from '../../storage/database.ts';
import { type ChainState, EMPTY_CHAIN, headText, nextHead } from '../../storage/audit-chain.ts';
import { MILESTONE_RECORDS } from '../../storage/chain-tip.ts';

/** Why nothing may be signed for a node. */
export interface Inconsistency {
  readonly node: number;
  /** The first record or size that is not as it must be. */
  readonly size: number;
  readonly why: string;
}

export interface FoldRequest {
  readonly node: number;
  /** Absent where the database has no checkpoint: the folding begins at the first of `meets` or, without one, of the rows. */
  readonly from: ChainState | undefined;
  /** What the folding must come to. */
  readonly to: ChainState;
  /** States that it must pass through, or that the rows before `from` must tell of. */
  readonly meets: readonly ChainState[];
  /** A long fold ends early with the process. */
  readonly isStopping: () => boolean;
}

export type Folded =
  /** It held to its end; the states at multiples of `MILESTONE_RECORDS` on the way. */
  | { readonly milestones: readonly ChainState[] }
  | Inconsistency
  /** It was not seen to its end. */
  | 'stopped';

/** Small, since look-ups of calls wait behind it: a millisecond or two. */
const PAGE_RECORDS = 500;

/** A billion records that were never signed: their milestones wait in memory until the last of them has held. */
const MILESTONES_MAX = 1_000_000;
const OTHER_HEAD = 'the chain has another head there than was signed';

export async function foldChain(database: Database, request: FoldRequest): Promise<Folded> {
  // Whoever deletes the checkpoints does not choose the beginning: what is known besides them is one.
  const of = { ...request, from: request.from ?? firstOf(request.meets) };
  const { node, to } = of;
  const broken = checkKnown(of) ?? (await checkEarlier(database, of));
  if (broken !== undefined) return broken;
  const folding = new Folding(of);
  const milestones: ChainState[] = [];
  while (folding.sequence < to.sequence) {
    if (of.isStopping()) return 'stopped';
    const rows = await readPage(database, { node, after: folding.sequence, to: to.sequence });
    if (rows.length === 0) return { node, size: folding.sequence + 1, why: 'records are missing' };
    for (const row of rows) {
      const state = folding.add(row);
      if ('why' in state) return state;
      if (state.sequence % MILESTONE_RECORDS === 0) milestones.push(state);
    }
    if (milestones.length > MILESTONES_MAX) throw new Error(`node ${node} has too many records to be folded`);
  }
  return { milestones };
}

/** What can be said without a row: a known state is beyond the end, or two of the same size have not the same head. */
function checkKnown({ node, from, to, meets }: FoldRequest): Inconsistency | undefined {
  const known = from === undefined ? meets : [...meets, from];
  const beyond = known.find(({ sequence }) => sequence > to.sequence);
  if (beyond !== undefined)
    return { node, size: beyond.sequence, why: 'the chain ends before what was signed of it' };
  const heads = new Map([[to.sequence, to.head]]);
  for (const { sequence, head } of known) {
    if ((heads.get(sequence) ?? head) !== head) return { node, size: sequence, why: OTHER_HEAD };
    heads.set(sequence, head);
  }
  return undefined;
}

function firstOf(states: readonly ChainState[]): ChainState | undefined {
  return states.toSorted((a, b) => a.sequence - b.sequence)[0];
}

/** Signed states from before the folding begins, against the heads that the rows have there. */
async function checkEarlier(
  database: Database,
  { node, from, meets }: FoldRequest,
): Promise<Inconsistency | undefined> {
  for (const { sequence, head } of meets) {
    if (sequence > (from?.sequence ?? 0)) continue;
    const stored = await readHead(database, { node, sequence });
    if (stored !== undefined && stored !== head) return { node, size: sequence, why: OTHER_HEAD };
  }
  return undefined;
}

class Folding {
  readonly #node: number;
  readonly #wanted: ReadonlyMap<number, string>;
  #state: ChainState | undefined;

  constructor({ node, from, to, meets }: FoldRequest) {
    this.#node = node;
    this.#state = from;
    this.#wanted = new Map([...meets, to].map(({ sequence, head }) => [sequence, head]));
  }

  get sequence(): number {
    return this.#state?.sequence ?? 0;
  }

  /** The state after the record, or how it contradicts what came before. */
  add(row: FoldedRecord): ChainState | Inconsistency {
    const { sequence, head } = row;
    const before = this.#state ?? (sequence === 1 ? EMPTY_CHAIN : undefined);
    if (before !== undefined && sequence !== before.sequence + 1)
      return this.#broken(before.sequence + 1, 'records are missing');
    // Nothing is known of it, and the beginning is gone: there is nothing to fold its first record onto.
    if (before !== undefined && nextHead(before.head, row.record) !== head)
      return this.#broken(sequence, 'the record or its head was changed');
    if ((this.#wanted.get(sequence) ?? head) !== head) return this.#broken(sequence, OTHER_HEAD);
    this.#state = { sequence, head };
    return this.#state;
  }

  #broken(size: number, why: string): Inconsistency {
    return { node: this.#node, size, why };
  }
}

interface FoldedRecord extends ChainState {
  readonly record: string;
}

async function readPage(
  database: Database,
  { node, after, to }: { readonly node: number; readonly after: number; readonly to: number },
): Promise<readonly FoldedRecord[]> {
  const rows = await database.read((db) =>
    db
      .selectFrom('audit_records')
      .select(['sequence', 'record', 'head'])
      .where('node', '=', BigInt(node))
      .where('sequence', '>', BigInt(after))
      .where('sequence', '<=', BigInt(to))
      .orderBy('sequence')
      .limit(PAGE_RECORDS),
  );
  return rows.map(({ sequence, record, head }) => ({
    sequence: Number(sequence),
    record,
    head: headText(head),
  }));
}

/** The head after a record as its row has it; `undefined` where there is no such row. */
export async function readHead(
  database: Database,
  of: { readonly node: number; readonly sequence: number },
): Promise<string | undefined> {
  const rows = await database.read((db) =>
    db
      .selectFrom('audit_records')
      .select('head')
      .where('node', '=', BigInt(of.node))
      .where('sequence', '=', BigInt(of.sequence)),
  );
  return rows[0] === undefined ? undefined : headText(rows[0].head);
}
