/** Keeps the search index up with the chains: whole blocks alone, since what is newer is simply read. */
import { RECORDS_PER_BLOCK, type IndexedBlock, type SearchIndex } from '../../storage/search-index.ts';
import type { LogParts } from '../reading/log-parts.ts';
import type { ChainEdge, ChainedRecord } from '../reading/record-source.ts';
import type { StoredEvent } from '../stored-event.ts';
import { BlockTerms, type ShortRecord } from './terms.ts';

/** Read, and written in one transaction. */
const BLOCKS_PER_TURN = 32;

export interface IndexerParts extends LogParts {
  readonly index: SearchIndex;
  readonly monotonicMs: () => number;
}

/** A process that does not write the index asks so often how far it is, and whether it may. */
const ASK_EVERY_MS = 2_000;

export class Indexer {
  readonly #parts: IndexerParts;
  /** The next block of each node. */
  readonly #next = new Map<number, number>();
  /** The first block of each node that has records: what was before it is forgotten. */
  readonly #first = new Map<number, number>();
  #generation = 0;
  #isWriter = false;
  #askAtMs = -Infinity;

  constructor(parts: IndexerParts) {
    this.#parts = parts;
  }

  /** The first record of a node that is not in the index, or may not be. */
  firstUnindexed(node: number): number {
    const isKnown = this.#parts.index.generation === this.#generation;
    return ((isKnown ? this.#next.get(node) : undefined) ?? 0) * RECORDS_PER_BLOCK + 1;
  }

  /** Indexes some of what is new. Returns whether there is more. */
  async turn(edges: readonly ChainEdge[]): Promise<boolean> {
    const { index, monotonicMs } = this.#parts;
    if (index.generation !== this.#generation) this.#begin(index.generation);
    if (!this.#isWriter && monotonicMs() < this.#askAtMs) return false;
    this.#askAtMs = monotonicMs() + ASK_EVERY_MS;
    this.#isWriter = await index.mayWrite();
    let hasMore = false;
    for (const edge of edges) {
      if (!this.#isWriter || !this.#next.has(edge.node)) await this.#resume(edge);
      if (!this.#isWriter) continue;
      await this.#forgetPruned(edge);
      hasMore = (await this.#indexSome(edge)) || hasMore;
    }
    return hasMore;
  }

  /** The index is a new one, in which nothing is. */
  #begin(generation: number): void {
    this.#generation = generation;
    this.#next.clear();
    this.#first.clear();
  }

  /** Finds where the index of a node ends. One that is of another history, as after a restore, is made anew. */
  async #resume(edge: ChainEdge): Promise<void> {
    const { index, source } = this.#parts;
    const last = await index.lastBlock(edge.node);
    const begin = blockOf(edge.first);
    if (last === undefined) {
      this.#next.set(edge.node, begin);
      return;
    }
    const sequence = (last.block + 1) * RECORDS_PER_BLOCK;
    const [stored] = sequence < edge.first ? [] : await source.readChained(edge.node, sequence - 1, 1);
    const isOurs = sequence < edge.first || (stored?.sequence === sequence && isSame(stored.head, last.head));
    if (!isOurs && this.#isWriter) await index.forgetFrom(edge.node, 0);
    this.#next.set(edge.node, isOurs ? Math.max(begin, last.block + 1) : begin);
  }

  async #forgetPruned({ node, first }: ChainEdge): Promise<void> {
    const block = blockOf(first);
    if (this.#first.get(node) === block) return;
    if (block > 0) await this.#parts.index.forgetBefore(node, block);
    this.#first.set(node, block);
  }

  async #indexSome({ node, last }: ChainEdge): Promise<boolean> {
    const { source, index } = this.#parts;
    const next = this.#next.get(node) ?? 0;
    const whole = Math.min(BLOCKS_PER_TURN, Math.floor(last / RECORDS_PER_BLOCK) - next);
    if (whole <= 0) return false;
    const records = await source.readChained(node, next * RECORDS_PER_BLOCK, whole * RECORDS_PER_BLOCK);
    const blocks: IndexedBlock[] = [];
    for (let block = next; block < next + whole; block++) {
      const ofBlock = records.filter(({ sequence }) => blockOf(sequence) === block);
      if (ofBlock.length > 0) blocks.push(await this.#describe({ node, block }, ofBlock));
    }
    await index.add(node, blocks);
    this.#next.set(node, next + whole);
    return whole === BLOCKS_PER_TURN;
  }

  async #describe(
    { node, block }: { readonly node: number; readonly block: number },
    records: readonly ChainedRecord[],
  ): Promise<IndexedBlock> {
    const { projects, reader } = this.#parts;
    const calls: ShortRecord[] = [];
    const others: StoredEvent[] = [];
    for (const each of records) {
      const call = readShort(each.record);
      if (call !== undefined) calls.push(call);
      else {
        const event = reader.readOne(node, each);
        if (event !== undefined) others.push(event);
      }
    }
    const events = await projects.find(others);
    await projects.load(calls.map(actorOf));
    const terms = new BlockTerms();
    const times = calls.map(([, , timeMs]) => Number(timeMs));
    for (const call of calls) terms.addCall(call, projects.of(actorOf(call)));
    for (const event of events) {
      terms.add(event);
      times.push(event.timeMs);
    }
    const head = records.at(-1)?.head ?? new Uint8Array();
    // What cannot be read has no time: it may be looked for at any.
    const [fromMs, toMs] = times.length === 0 ? [0, 0] : [Math.min(...times), Math.max(...times)];
    return { block, fromMs, toMs, terms: terms.render(), head };
  }
}

function blockOf(sequence: number): number {
  return Math.floor((sequence - 1) / RECORDS_PER_BLOCK);
}

/** `undefined` for another form, and for what cannot be read. */
function readShort(record: string): ShortRecord | undefined {
  if (!record.startsWith('[') || !record.endsWith(']')) return undefined;
  try {
    const values = JSON.parse(record) as ShortRecord;
    return Number.isFinite(values[2]) ? values : undefined;
  } catch {
    // The general reader tells of it.
    return undefined;
  }
}

function actorOf([, , , , , , actor]: ShortRecord): string {
  return String(actor);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
