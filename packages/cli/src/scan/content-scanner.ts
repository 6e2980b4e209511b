/** Scans the bytes of one file, whatever they are: UTF-8 or any encoding that has ASCII in it, UTF-16, or binary. */
import { StringDecoder } from 'node:string_decoder';
import { type Match, TextScanner } from './text-scanner.ts';

/** A file with a NUL among its first bytes is binary, as git decides it. */
const BINARY_SIGN_BYTES = 8_192;
const UTF16_BYTE_ORDER_MARK = Buffer.from([0xff, 0xfe]);

export class ContentScanner {
  readonly #text = new TextScanner();
  readonly #includeBinary: boolean;
  #decoder: StringDecoder | undefined;
  #bytes = 0;
  #isBinary = false;

  constructor(includeBinary: boolean) {
    this.#includeBinary = includeBinary;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  /** False when the file is binary and therefore done with. */
  write(chunk: Buffer): boolean {
    if (this.#isBinary) return false;
    if (this.#bytes === 0 && chunk.subarray(0, 2).equals(UTF16_BYTE_ORDER_MARK)) {
      this.#decoder = new StringDecoder('utf16le');
    }
    const text = this.#decoder === undefined ? chunk : Buffer.from(this.#decoder.write(chunk));
    const first = text.subarray(0, Math.max(0, BINARY_SIGN_BYTES - this.#bytes));
    this.#isBinary = !this.#includeBinary && first.includes(0);
    this.#bytes += chunk.length;
    if (!this.#isBinary) this.#text.write(text);
    return !this.#isBinary;
  }

  /** Every match in the file; nothing of a binary one. */
  end(): readonly Match[] | 'binary' {
    return this.#isBinary ? 'binary' : this.#text.end();
  }
}
