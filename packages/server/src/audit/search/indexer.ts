/** Keeps the search index up with the chains: whole blocks alone, since what is newer is simply read. */
import { RECORDS_PER_BLOCK, type IndexedBlock, type SearchIndex } from '../../storage/search-index.ts';
import type { Projects } from '../following/projects.ts';
import type { ChainEdge, ChainedRecord, RecordSource } from '../following/record-source.ts';
import { type StoredEvent, readEvent } from '../stored-event.ts';
import { BlockTerms, type ShortRecord } from './terms.ts';

/** Read, and written in one transaction. */
const BLOCKS_PER_TURN = 32;

export interface IndexerParts {
  readonly source: RecordSource;
  readonly projects: Projects;
  readonly index: SearchIndex;
}

export class Indexer {
  readonly #parts: IndexerParts;
  /** The next block of each node. */
  readonly #next = new Map<number, number>();
  /** The first block of each node that has records: what was before it is forgotten. */
  readonly #first = new Map<number, number>();

  constructor(parts: IndexerParts) {
    this.#parts = parts;
  }

  /** The first record of a node that is not in the index, or may not be. */
  firstUnindexed(node: number): number {
    return (this.#next.get(node) ?? 0) * RECORDS_PER_BLOCK + 1;
  }

  /** Indexes some of what is new. Returns whether there is more. */
  async turn(edges: readonly ChainEdge[]): Promise<boolean> {
    const { index } = this.#parts;
    const isWriter = await index.mayWrite();
    let hasMore = false;
    for (const edge of edges) {
      if (!isWriter || !this.#next.has(edge.node)) await this.#resume(edge, isWriter);
      if (!isWriter) continue;
      await this.#forgetPruned(edge);
      hasMore = (await this.#indexSome(edge)) || hasMore;
    }
    return hasMore;
  }

  /** Finds where the index of a node ends. One that is of another history, as after a restore, is made anew. */
  async #resume(edge: ChainEdge, isWriter: boolean): Promise<void> {
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
    if (!isOurs && isWriter) await index.forgetFrom(edge.node, 0);
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
      if (ofBlock.length > 0) blocks.push(await this.#describe(block, ofBlock));
    }
    await index.add(node, blocks);
    this.#next.set(node, next + whole);
    return whole === BLOCKS_PER_TURN;
  }

  async #describe(block: number, records: readonly ChainedRecord[]): Promise<IndexedBlock> {
    const { projects } = this.#parts;
    const calls: ShortRecord[] = [];
    const others: StoredEvent[] = [];
    for (const { record } of records) {
      if (isShort(record)) calls.push(JSON.parse(record) as ShortRecord);
      else others.push(readEvent(record));
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
    return { block, fromMs: Math.min(...times), toMs: Math.max(...times), terms: terms.render(), head };
  }
}

function blockOf(sequence: number): number {
  return Math.floor((sequence - 1) / RECORDS_PER_BLOCK);
}

function isShort(record: string): boolean {
  return record.startsWith('[');
}

function actorOf([, , , , , , actor]: ShortRecord): string {
  return String(actor);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}
