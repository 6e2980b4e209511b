/** Reads stored records one by one: one that cannot be read is told of and passed over, so that it hides no other. */
import { type StoredEvent, readEvent } from '../stored-event.ts';
import type { StoredRecord } from './record-source.ts';

export interface ReadRecord<Event extends StoredEvent = StoredEvent> {
  readonly event: Event;
  readonly record: string;
}

/** Told of once each; beyond it the same may be told of again. */
const TOLD_MAX = 1_000;

export class EventReader {
  readonly #onUnreadable: (error: Error) => void;
  readonly #told = new Set<string>();

  constructor(onUnreadable: (error: Error) => void) {
    this.#onUnreadable = onUnreadable;
  }

  read(node: number, records: readonly StoredRecord[]): ReadRecord[] {
    const read: ReadRecord[] = [];
    for (const { sequence, record } of records) {
      const event = this.readOne(node, { sequence, record });
      if (event !== undefined) read.push({ event, record });
    }
    return read;
  }

  readOne(node: number, { sequence, record }: StoredRecord): StoredEvent | undefined {
    try {
      return readEvent(record);
    } catch (error) {
      this.#tell(`record ${sequence} of node ${node} cannot be read`, error);
      return undefined;
    }
  }

  #tell(what: string, cause: unknown): void {
    if (this.#told.has(what)) return;
    if (this.#told.size >= TOLD_MAX) this.#told.clear();
    this.#told.add(what);
    this.#onUnreadable(new Error(what, { cause }));
  }
}
