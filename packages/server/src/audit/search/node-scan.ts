/** The records of one node that match a filter, the last first: read where the index says that there may be some. */
import { type BlockQuery, RECORDS_PER_BLOCK, type SearchIndex } from '../../storage/search-index.ts';
import type { LogParts } from '../reading/log-parts.ts';
import type { ChainEdge, StoredRecord } from '../reading/record-source.ts';
import type { AuditFilter, Matches } from './filter.ts';

/** Records that are read at once. */
const RECORDS_PER_READ = 8 * RECORDS_PER_BLOCK;
const BLOCKS_PER_QUERY = 64;

export interface Match extends StoredRecord {
  readonly node: number;
  readonly timeMs: number;
}

export interface ScanParts extends LogParts {
  readonly index: SearchIndex;
  readonly filter: AuditFilter;
  readonly matches: Matches;
  readonly terms: BlockQuery['terms'];
  /** The first record that the index does not know. */
  readonly firstUnindexed: number;
}

/** A stretch of records, both ends included. */
interface Stretch {
  readonly first: number;
  readonly last: number;
}

export class NodeScan {
  readonly #parts: ScanParts;
  readonly #edge: ChainEdge;
  /** Records from here on have been looked at. */
  #next: number;
  #found: Match[] = [];
  #stretches: Stretch[] = [];

  constructor(parts: ScanParts, edge: ChainEdge, before: number) {
    this.#parts = parts;
    this.#edge = edge;
    this.#next = Math.min(before, edge.last + 1);
  }

  get node(): number {
    return this.#edge.node;
  }

  /** Everything from this record on has been taken, or does not match. */
  get place(): number {
    return (this.#found[0]?.sequence ?? this.#next - 1) + 1;
  }

  get isOver(): boolean {
    return this.#found.length === 0 && this.#next <= this.#edge.first;
  }

  /** The newest match that was not taken, as far as has been looked. */
  get head(): Match | undefined {
    return this.#found[0];
  }

  take(): void {
    this.#found.shift();
  }

  /** Looks a bit further. */
  async advance(): Promise<void> {
    const stretch = this.#stretches.shift() ?? (await this.#nextStretch());
    if (stretch === undefined) {
      this.#next = this.#edge.first;
      return;
    }
    const { source, reader, projects, filter, matches } = this.#parts;
    const read = reader.read(this.node, await source.readBack(this.node, stretch.first, stretch.last));
    const events = read.map(({ event }) => event);
    // Only a filter by project needs to know projects.
    const found =
      filter.project === undefined
        ? events.map((event) => ({ ...event, projects: [] }))
        : await projects.find(events);
    for (const [index, event] of found.entries()) {
      const record = read[index]?.record;
      if (record === undefined || !matches(event)) continue;
      this.#found.push({ sequence: event.sequence, record, node: this.node, timeMs: event.timeMs });
    }
    this.#next = stretch.first;
  }

  async #nextStretch(): Promise<Stretch | undefined> {
    const { first } = this.#edge;
    if (this.#next <= first) return undefined;
    const tail = Math.max(first, this.#parts.firstUnindexed);
    if (this.#next > tail) {
      return { first: Math.max(tail, this.#next - RECORDS_PER_READ), last: this.#next - 1 };
    }
    const { index, filter, terms } = this.#parts;
    const blocks = await index.find({
      node: this.node,
      terms,
      // The block that the last look ended in is looked at again: it may have ended within it.
      before: Math.floor((this.#next - 2) / RECORDS_PER_BLOCK) + 1,
      fromMs: filter.fromMs,
      toMs: filter.toMs,
      limit: BLOCKS_PER_QUERY,
    });
    this.#stretches = this.#join(blocks);
    return this.#stretches.shift();
  }

  /** Blocks that lie side by side are read at once. */
  #join(blocks: readonly number[]): Stretch[] {
    const stretches: { first: number; last: number }[] = [];
    for (const block of blocks) {
      const first = Math.max(this.#edge.first, block * RECORDS_PER_BLOCK + 1);
      const last = Math.min(this.#next - 1, (block + 1) * RECORDS_PER_BLOCK);
      if (last < first) continue;
      const before = stretches.at(-1);
      if (before?.first === last + 1 && before.last - first < RECORDS_PER_READ) before.first = first;
      else stretches.push({ first, last });
    }
    return stretches;
  }
}
