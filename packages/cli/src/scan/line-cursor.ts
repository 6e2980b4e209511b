/** Knows line and column of a place in bytes that are held as Latin-1 text, of which UTF-8 was the real encoding. */

const FIRST_CONTINUATION = 0x80;
const LAST_CONTINUATION = 0xbf;
/** Lead byte of what UTF-16 needs two units for. */
const FIRST_OF_FOUR = 0xf0;

/** Moves forward only, so that each byte is looked at once. */
export class LineCursor {
  /** From 1; a line ends with a line feed. */
  line = 1;
  /** From 1, in UTF-16 code units, as editors and compilers count. */
  column = 1;
  #index = 0;
  #nextBreak: number | undefined;

  moveTo(text: string, index: number): void {
    let from = this.#index;
    for (;;) {
      this.#nextBreak ??= orInfinity(text.indexOf('\n', from));
      if (this.#nextBreak >= index) break;
      this.line++;
      this.column = 1;
      from = this.#nextBreak + 1;
      this.#nextBreak = undefined;
    }
    for (; from < index; from++) this.column += unitsOf(text.charCodeAt(from));
    this.#index = Math.max(this.#index, index);
  }

  /** To be called when `dropped` characters were cut from the start of the text, or when it has grown. */
  rebase(dropped: number): void {
    this.#index -= dropped;
    this.#nextBreak = undefined;
  }
}

function orInfinity(index: number): number {
  return index === -1 ? Number.POSITIVE_INFINITY : index;
}

/** How many UTF-16 code units a byte of UTF-8 begins. A stray byte counts as what it would have begun. */
function unitsOf(byte: number): number {
  if (byte >= FIRST_CONTINUATION && byte <= LAST_CONTINUATION) return 0;
  return byte >= FIRST_OF_FOUR ? 2 : 1;
}
