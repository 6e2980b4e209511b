/** Cuts bytes that arrive in pieces into lines, and never holds more than one line of bounded length. */

/** Bytes of the longest line that is read; a record of Keyfold's has some hundreds. */
export const LINE_BYTES_MAX = 1_048_576;

/** How a line ended: as it should, with the file, or not before it was longer than any record. */
export type LineEnd = 'line_feed' | 'cut_off' | 'too_long';

/** The bytes are without the line feed, and are only good during the call. */
export type OnLine = (line: Buffer, end: LineEnd) => void;

const LINE_FEED = 0x0a;
const NOTHING = Buffer.alloc(0);

export class LineCutter {
  readonly #onLine: OnLine;
  #rest: Buffer[] = [];
  #restBytes = 0;

  constructor(onLine: OnLine) {
    this.#onLine = onLine;
  }

  push(piece: Buffer): void {
    let from = 0;
    for (let at = piece.indexOf(LINE_FEED); at >= 0; at = piece.indexOf(LINE_FEED, from)) {
      this.#end(piece.subarray(from, at), 'line_feed');
      from = at + 1;
    }
    this.#keep(piece.subarray(from));
  }

  /** To be called at the end of a file. */
  finish(): void {
    if (this.#restBytes > 0) this.#end(NOTHING, 'cut_off');
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#restBytes += bytes.length;
    if (this.#restBytes > LINE_BYTES_MAX) this.#rest = [];
    else this.#rest.push(bytes);
  }

  #end(bytes: Buffer, end: LineEnd): void {
    if (this.#restBytes === 0 && bytes.length <= LINE_BYTES_MAX) return this.#onLine(bytes, end);
    const isTooLong = this.#restBytes + bytes.length > LINE_BYTES_MAX;
    const line = isTooLong ? NOTHING : Buffer.concat([...this.#rest, bytes]);
    this.#rest = [];
    this.#restBytes = 0;
    this.#onLine(line, isTooLong ? 'too_long' : end);
  }
}
