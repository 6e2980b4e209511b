/** Follows every chain as it grows, and hands each record on once, in the order of its chain. */
import type { Place } from '../place.ts';
import type { FoundEvent } from '../reading/found-event.ts';
import type { ReadRecord } from '../reading/event-reader.ts';
import type { LogParts } from '../reading/log-parts.ts';
import type { ChainEdge, StoredRecord } from '../reading/record-source.ts';

/** Few, since what they come to may have to be kept for each stream until it is read. */
const RECORDS_PER_READ = 250;

/** Records of one node that follow each other. */
export interface Followed {
  readonly node: number;
  /** The record before the first of them. */
  readonly after: number;
  /** The last of them. */
  readonly to: number;
  readonly events: readonly ReadRecord<FoundEvent>[];
}

export class Follower {
  readonly #parts: LogParts;
  readonly #place = new Map<number, number>();

  constructor(parts: LogParts) {
    this.#parts = parts;
  }

  /** What has been handed on. */
  get place(): Place {
    return this.#place;
  }

  /** From here on, whatever has been before. */
  startAt(edges: readonly ChainEdge[]): void {
    this.#place.clear();
    for (const { node, last } of edges) this.#place.set(node, last);
  }

  /** Hands on some of what is new. Returns whether there is more. */
  async turn(edges: readonly ChainEdge[], onRecords: (followed: Followed) => void): Promise<boolean> {
    let hasMore = false;
    for (const { node, first, last } of edges) {
      const after = this.#place.get(node) ?? first - 1;
      if (after >= last) continue;
      const records = await this.#parts.source.readAfter(node, after, RECORDS_PER_READ);
      const to = records.at(-1)?.sequence ?? after;
      const followed = { node, after, to, events: await describeRecords(this.#parts, node, records) };
      this.#place.set(node, to);
      onRecords(followed);
      hasMore ||= to < last;
    }
    return hasMore;
  }
}

export async function describeRecords(
  { reader, projects }: LogParts,
  node: number,
  records: readonly StoredRecord[],
): Promise<Followed['events']> {
  const read = reader.read(node, records);
  const events = await projects.find(read.map(({ event }) => event));
  return events.map((event, index) => ({ event, record: read[index]?.record ?? '' }));
}
