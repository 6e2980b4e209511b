/**
 * Cuts a byte stream into whole server-sent events (HTML standard, "Server-sent events"; lines end in LF, CRLF or CR), in
 * bounded memory. Events may be large: a vendor may send a picture or a whole tool call in one. Each character is looked
 * at once, however small the pieces are in which an event comes.
 */
import { StringDecoder } from 'node:string_decoder';
import type { SentEvent } from './dialect.ts';

/** The longest event that is read, its line ends included. */
export const EVENT_CHARACTERS_MAX = 32 * 1_024 * 1_024;

export class EventReader {
  readonly #decoder = new StringDecoder('utf8');
  /** What has come of the line that has not ended. */
  #line: string[] = [];
  #name = '';
  #data: string[] = [];
  /** Of the line and the data. */
  #characters = 0;
  #isAtStart = true;
  /** The last line ended in a CR: a LF that comes next is of the same end. */
  #isAfterCr = false;
  #isTooLong = false;
  readonly #charactersMax: number;

  constructor(charactersMax = EVENT_CHARACTERS_MAX) {
    this.#charactersMax = charactersMax;
  }

  /** An event was over the limit: what was read is not the whole stream. */
  get isTooLong(): boolean {
    return this.#isTooLong;
  }

  /** The events that end in this chunk. */
  push(chunk: Buffer): SentEvent[] {
    return this.#read(this.#decoder.write(chunk));
  }

  /** What the stream ends in: some servers leave out the last blank line. */
  finish(): SentEvent[] {
    return [...this.#read(this.#decoder.end()), ...this.#read('\n'), ...this.#read('\n')];
  }

  #read(text: string): SentEvent[] {
    if (this.#isTooLong || text === '') return [];
    const events: SentEvent[] = [];
    let from = this.#skip(text);
    for (let end = findLineEnd(text, from); end !== undefined; end = findLineEnd(text, from)) {
      const event = this.#endLine(text.slice(from, end.at));
      if (event !== undefined) events.push(event);
      from = end.next;
    }
    this.#isAfterCr = text.endsWith('\r');
    this.#keep(text.slice(from));
    return events;
  }

  /** How much of the text is not of its lines: a byte order mark, and the rest of a CRLF. */
  #skip(text: string): number {
    const skipped = (this.#isAtStart && text[0] === '\uFEFF') || (this.#isAfterCr && text[0] === '\n');
    this.#isAtStart = false;
    return skipped ? 1 : 0;
  }

  #keep(rest: string): void {
    if (rest !== '') this.#line.push(rest);
    this.#characters += rest.length;
    if (this.#characters <= this.#charactersMax) return;
    this.#isTooLong = true;
    this.#line = [];
    this.#data = [];
  }

  #endLine(last: string): SentEvent | undefined {
    const kept = this.#line.reduce((sum, piece) => sum + piece.length, 0);
    const line = this.#line.join('') + last;
    this.#line = [];
    this.#characters -= kept;
    return this.#takeLine(line);
  }

  #takeLine(line: string): SentEvent | undefined {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1);
    if (field === 'data') {
      this.#data.push(value);
      // And the line feed that joins it to the next.
      this.#characters += value.length + 1;
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
