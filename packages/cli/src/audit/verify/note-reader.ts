/** Finds the signed notes in a file: one after another, each followed by an empty line, or as `note` of JSON lines. */
import { NOTE_CHARACTERS_MAX } from '@keyfold/protocol';
import { LineCutter, type LineEnd } from './line-cutter.ts';

export class NoteReader {
  readonly #cutter = new LineCutter((line, end) => this.#line(line, end));
  readonly #onNote: (note: string) => void;
  #lines: string[] = [];
  #characters = 0;
  #isInSignatures = false;

  constructor(onNote: (note: string) => void) {
    this.#onNote = onNote;
  }

  push(piece: Buffer): void {
    this.#cutter.push(piece);
  }

  finish(): void {
    this.#cutter.finish();
    if (this.#lines.length > 0) this.#end();
  }

  #line(bytes: Buffer, end: LineEnd): void {
    const text = bytes.toString('utf8');
    if (this.#lines.length === 0) {
      if (text === '' && end === 'line_feed') return;
      const note = text.startsWith('{') ? readNoteMember(text) : undefined;
      if (note !== undefined) return this.#onNote(note);
    }
    if (text === '' && this.#isInSignatures && end === 'line_feed') return this.#end();
    this.#isInSignatures ||= text === '';
    this.#characters += text.length + 1;
    if (this.#characters <= NOTE_CHARACTERS_MAX) this.#lines.push(end === 'line_feed' ? `${text}\n` : text);
    // What is longer than any note is handed on cut off, and is then found to be none.
    else if (this.#lines.length === 0) this.#lines.push(text.slice(0, 1));
  }

  #end(): void {
    const note = this.#lines.join('');
    this.#lines = [];
    this.#characters = 0;
    this.#isInSignatures = false;
    this.#onNote(note);
  }
}

function readNoteMember(text: string): string | undefined {
  try {
    const { note } = JSON.parse(text) as { readonly note?: unknown };
    return typeof note === 'string' ? note : undefined;
  } catch {
    return undefined;
  }
}
