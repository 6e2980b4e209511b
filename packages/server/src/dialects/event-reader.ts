/**
 * Cuts a byte stream into whole server-sent events (HTML standard, "Server-sent events"; lines end in LF, CRLF or CR), in
 * bounded memory. Events may be large: a vendor may send a picture or a whole tool call in one.
 */
import { StringDecoder } from 'node:string_decoder';
import type { SentEvent } from './dialect.ts';

/** The longest event that is read. */
export const EVENT_CHARACTERS_MAX = 32 * 1_024 * 1_024;

export class EventReader {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';
  #name = '';
  #data: string[] = [];
  #characters = 0;
  #isTooLong = false;

  /** An event was over the limit: what was read is not the whole stream. */
  get isTooLong(): boolean {
    return this.#isTooLong;
  }

  /** The events that end in this chunk. */
  push(chunk: Buffer): SentEvent[] {
    return this.#read(this.#decoder.write(chunk), false);
  }

  /** What the stream ends in: some servers leave out the last blank line. */
  finish(): SentEvent[] {
    return this.#read(`${this.#decoder.end()}\n\n`, true);
  }

  #read(text: string, isLast: boolean): SentEvent[] {
    if (this.#isTooLong) return [];
    const events: SentEvent[] = [];
    const all = this.#rest + text;
    let from = 0;
    for (let end = findLineEnd(all, from); end !== undefined; end = findLineEnd(all, from)) {
      // A CR at the end of what has come may be half of a CRLF.
      if (end.next === all.length && all[end.at] === '\r' && !isLast) break;
      const event = this.#takeLine(all.slice(from, end.at));
      if (event !== undefined) events.push(event);
      from = end.next;
    }
    this.#rest = all.slice(from);
    if (this.#rest.length + this.#characters > EVENT_CHARACTERS_MAX) {
      this.#isTooLong = true;
      this.#rest = '';
      this.#data = [];
    }
    return events;
  }

  #takeLine(line: string): SentEvent | undefined {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') {
      this.#data.push(value);
      this.#characters += value.length;
    } else if (field === 'event') this.#name = value;
    return undefined;
  }

  #dispatch(): SentEvent | undefined {
    const [name, data] = [this.#name, this.#data];
    this.#name = '';
    this.#data = [];
    this.#characters = 0;
    return data.length === 0 ? undefined : { name, data: data.join('\n') };
  }
}

function findLineEnd(text: string, from: number): { readonly at: number; readonly next: number } | undefined {
  LINE_END.lastIndex = from;
  const found = LINE_END.exec(text);
  return found === null ? undefined : { at: found.index, next: LINE_END.lastIndex };
}

const LINE_END = /\r\n|\n|\r/g;
