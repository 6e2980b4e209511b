/**
 * Finds the signed notes in a file: one after another, each followed by an empty line, or as `note` of JSON lines. What a
 * write has left that broke off is told from a note by its form: the notes that follow it are read all the same.
 */
import { NOTE_CHARACTERS_MAX } from '@keyfold/protocol';
import { LineCutter, type LineEnd } from './line-cutter.ts';

export interface NoteListener {
  /** A note, or what may be one: at the end of a file also what is cut off. */
  onNote(note: string): void;
  /** Something was cut off that a whole note follows. */
  onTorn(): void;
}

/** The first line of a checkpoint: no note of another kind is in such a file. */
const ORIGIN = /^\S+\/node\/[1-9]\d*$/;
/** With the four bytes of the key's id and the 64 of an Ed25519 signature at least. */
const SIGNATURE =
  /^— \S+ (?:[A-Za-z0-9+/]{4}){22,}(?:[A-Za-z0-9+/]{4}|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{2}==)\n?$/;

export class NoteReader {
  readonly #cutter = new LineCutter((line, end) => this.#line(line, end));
  readonly #listener: NoteListener;
  #lines: string[] = [];
  #characters = 0;
  #isInSignatures = false;
  /** What is no whole note, until it is known whether one follows. */
  #torn: string | undefined;

  constructor(listener: NoteListener) {
    this.#listener = listener;
  }

  push(piece: Buffer): void {
    this.#cutter.push(piece);
  }

  finish(): void {
    this.#cutter.finish();
    this.#end();
    if (this.#torn !== undefined) this.#listener.onNote(this.#torn);
    this.#torn = undefined;
  }

  #line(bytes: Buffer, end: LineEnd): void {
    const text = bytes.toString('utf8');
    if (this.#lines.length === 0 && text === '' && end === 'line_feed') return;
    const note = text.startsWith('{') ? readNoteMember(text) : undefined;
    if (note !== undefined) {
      this.#end();
      return this.#whole(note);
    }
    if (ORIGIN.test(text)) this.#end();
    if (text === '' && this.#isInSignatures && end === 'line_feed') return this.#end();
    this.#isInSignatures ||= text === '';
    this.#characters += text.length + 1;
    if (this.#characters <= NOTE_CHARACTERS_MAX) this.#lines.push(end === 'line_feed' ? `${text}\n` : text);
    // What is longer than any note is handed on cut off, and is then found to be none.
    else if (this.#lines.length === 0) this.#lines.push(text.slice(0, 1));
  }

  #end(): void {
    if (this.#lines.length === 0) return;
    const note = this.#lines.join('');
    const isWhole = this.#isInSignatures && this.#lines.some((line) => SIGNATURE.test(line));
    this.#lines = [];
    this.#characters = 0;
    this.#isInSignatures = false;
    if (isWhole) this.#whole(note);
    else this.#torn ??= note;
  }

  #whole(note: string): void {
    if (this.#torn !== undefined) this.#listener.onTorn();
    this.#torn = undefined;
    this.#listener.onNote(note);
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
