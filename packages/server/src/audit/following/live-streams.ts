/**
 * Live streams of records: each has a filter and a place in the log, and a little that may be on its way to its reader. What
 * does not fit is not kept but read from the log again when there is room, so that a slow reader costs no memory.
 */
import { renderServerEvent } from './server-event.ts';
import { type Place, renderPlace } from '../place.ts';
import { type AuditFilter, type Matches, compileFilter } from '../search/filter.ts';
import { type Followed, describeRecords } from './follower.ts';
import type { Projects } from './projects.ts';
import type { RecordSource } from './record-source.ts';

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
export interface Gap {
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

export interface LiveParts {
  readonly source: RecordSource;
  readonly projects: Projects;
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

  /** `gaps` are what was pruned before the reader had it: it is told. */
  open(id: number, filter: AuditFilter, of: { readonly from: Place; readonly gaps: readonly Gap[] }): void {
    const stream: Stream = {
      id,
      matches: compileFilter(filter),
      place: new Map(of.from),
      underWay: 0,
      takenAtMs: this.#parts.monotonicMs(),
      isReading: false,
    };
    this.#streams.set(id, stream);
    for (const gap of of.gaps) this.#send(stream, `event: gap\ndata: ${JSON.stringify(gap)}\n\n`);
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
    const { source, projects, edge } = this.#parts;
    for (;;) {
      const behind = [...edge].find(([node, last]) => (stream.place.get(node) ?? 0) < last);
      const isOpen = this.#streams.get(stream.id) === stream && stream.underWay < UNDER_WAY_MAX;
      if (behind === undefined || !isOpen) {
        stream.isReading = false;
        return;
      }
      const [node, last] = behind;
      const records = await source.readAfter(node, stream.place.get(node) ?? 0, RECORDS_PER_READ);
      const events = await describeRecords(projects, records);
      // What is gone between here and there was pruned: there is nothing to wait for.
      this.#pass(stream, { node, to: records.at(-1)?.sequence ?? last, events });
    }
  }

  #drop(stream: Stream, reason: string): void {
    if (!this.#streams.delete(stream.id)) return;
    const data = JSON.stringify({ reason, resume: renderPlace(stream.place) });
    this.#parts.send(stream.id, { text: `event: dropped\ndata: ${data}\n\n`, isLast: true });
  }
}
