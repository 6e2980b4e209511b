/**
 * Live streams of records: each has a filter and a place in the log, and a little that may be on its way to its reader. What
 * does not fit is not kept but read from the log again when there is room, so that a slow reader costs no memory.
 */
import { renderServerEvent } from './server-event.ts';
import { type Place, renderPlace } from '../place.ts';
import { type AuditFilter, type Matches, compileFilter } from '../search/filter.ts';
import { type LogParts } from '../reading/log-parts.ts';
import { type Followed, describeRecords } from './follower.ts';

/** Characters that may be on their way to a reader. */
const UNDER_WAY_MAX = 256 * 1_024;
const RECORDS_PER_READ = 500;
/** A reader that takes nothing for so long is dropped. */
export const STALL_MS_MAX = 30_000;

export interface StreamPiece {
  readonly text: string;
  /** Nothing comes after it. */
  readonly isLast: boolean;
}

/** Records of a node that are kept no more, both ends included. */
interface Gap {
  readonly node: number;
  readonly first: number;
  readonly last: number;
}

export type Send = (stream: number, piece: StreamPiece) => void;

interface Stream {
  readonly id: number;
  readonly matches: Matches;
  readonly place: Map<number, number>;
  underWay: number;
  /** When something was last taken, or there was nothing to take. */
  takenAtMs: number;
  isReading: boolean;
}

export interface LiveParts extends LogParts {
  /** To which the log has been followed. */
  readonly edge: Place;
  readonly monotonicMs: () => number;
  readonly send: Send;
  readonly onFailure: (error: unknown) => void;
}

export class LiveStreams {
  readonly #parts: LiveParts;
  readonly #streams = new Map<number, Stream>();
  constructor(parts: LiveParts) {
    this.#parts = parts;
  }

  get size(): number {
    return this.#streams.size;
  }

  open(id: number, filter: AuditFilter, from: Place): void {
    const stream: Stream = {
      id,
      matches: compileFilter(filter),
      place: new Map(from),
      underWay: 0,
      takenAtMs: this.#parts.monotonicMs(),
      isReading: false,
    };
    this.#streams.set(id, stream);
    this.#readOn(stream);
  }

  close(id: number): void {
    this.#streams.delete(id);
  }

  /** The reader of a stream has taken so many characters. */
  taken(id: number, characters: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.underWay -= characters;
    stream.takenAtMs = this.#parts.monotonicMs();
    if (stream.underWay < UNDER_WAY_MAX / 2) this.#readOn(stream);
  }

  /** Hands new records to all who have come so far; the others read them by themselves. */
  offer(followed: Followed): void {
    for (const stream of this.#streams.values()) {
      if (stream.isReading) continue;
      const hasRoom = stream.underWay < UNDER_WAY_MAX;
      const isNext = (stream.place.get(followed.node) ?? 0) >= followed.after;
      if (hasRoom && isNext) this.#pass(stream, followed);
      else if (hasRoom) this.#readOn(stream);
    }
  }

  /** Drops who has taken nothing for too long. */
  sweep(): void {
    const nowMs = this.#parts.monotonicMs();
    for (const stream of this.#streams.values()) {
      if (stream.underWay > 0 && nowMs - stream.takenAtMs > STALL_MS_MAX) this.#drop(stream, 'too slow');
    }
  }

  #pass(stream: Stream, { node, to, events }: Pick<Followed, 'node' | 'to' | 'events'>): void {
    const from = stream.place.get(node) ?? 0;
    let text = '';
    for (const { event, record } of events) {
      if (event.sequence <= from) continue;
      stream.place.set(node, event.sequence);
      if (stream.matches(event)) text += renderServerEvent(renderPlace(stream.place), record);
    }
    stream.place.set(node, Math.max(from, to));
    if (text !== '') this.#send(stream, text);
  }

  #send(stream: Stream, text: string): void {
    if (stream.underWay === 0) stream.takenAtMs = this.#parts.monotonicMs();
    stream.underWay += text.length;
    this.#parts.send(stream.id, { text, isLast: false });
  }

  #readOn(stream: Stream): void {
    if (stream.isReading) return;
    stream.isReading = true;
    this.#read(stream).catch((error: unknown) => {
      this.#parts.onFailure(error);
      this.#drop(stream, 'the log could not be read');
    });
  }

  /** Reads until the follower's place, or until there is no room; from then on the stream takes what is offered. */
  async #read(stream: Stream): Promise<void> {
    const { source, edge } = this.#parts;
    for (;;) {
      const behind = [...edge].find(([node, last]) => (stream.place.get(node) ?? 0) < last);
      const isOpen = this.#streams.get(stream.id) === stream && stream.underWay < UNDER_WAY_MAX;
      if (behind === undefined || !isOpen) {
        stream.isReading = false;
        return;
      }
      const [node, last] = behind;
      const had = stream.place.get(node) ?? 0;
      const records = await source.readAfter(node, had, RECORDS_PER_READ);
      // What is not there any more was pruned: there is nothing to wait for, but it is told.
      const first = records[0]?.sequence ?? last + 1;
      if (first > had + 1) this.#send(stream, renderGap({ node, first: had + 1, last: first - 1 }));
      const events = await describeRecords(this.#parts, node, records);
      this.#pass(stream, { node, to: records.at(-1)?.sequence ?? last, events });
    }
  }

  #drop(stream: Stream, reason: string): void {
    if (!this.#streams.delete(stream.id)) return;
    const data = JSON.stringify({ reason, resume: renderPlace(stream.place) });
    this.#parts.send(stream.id, { text: `event: dropped\ndata: ${data}\n\n`, isLast: true });
  }
}

function renderGap(gap: Gap): string {
  return `event: gap\ndata: ${JSON.stringify(gap)}\n\n`;
}
