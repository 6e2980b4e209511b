/**
 * Responsible for the parts of JSON text that nest nothing (RFC 8259): space, strings, numbers and literals. Refuses what
 * the RFC leaves open in strings, lone surrogates.
 */
import { JsonRefusal, type JsonRefusalReason, KEY_CHARACTERS_MAX, REFUSED } from './json-refusal.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const MINUS = 0x2d;
const PLUS = 0x2b;
const DOT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const SPACE = 0x20;
const LETTER_U = 0x75;
// Beyond this, a string is worth the cost of looking at four bytes at a time.
const SHORT_STRING_BYTES = 32;

/**
 * Reads tokens of one text. Each `skip…` takes the offset where its token begins and returns the offset after it, or
 * `REFUSED`, and then `refusal` says why. The bytes must be valid UTF-8.
 */
export class JsonTokens {
  readonly body: Buffer;
  refusal: JsonRefusal | undefined = undefined;
  /** Some string since this was last set to false has an escape. */
  hasEscape = false;
  readonly #length: number;
  #words: DataView | undefined = undefined;

  constructor(body: Buffer) {
    this.body = body;
    this.#length = body.length;
  }

  skipSpace(at: number): number {
    const body = this.body;
    let next = at;
    while (next < this.#length) {
      const byte = body[next] as number;
      if (byte > SPACE || (byte !== SPACE && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) break;
      next++;
    }
    return next;
  }

  /** `at` is the byte after the opening quote. Sets `hasEscape` when it meets one. */
  skipString(at: number): number {
    const body = this.body;
    const length = this.#length;
    let next = at;
    while (next < length) {
      const byte = body[next] as number;
      if (byte === QUOTE) return next + 1;
      if (byte === BACKSLASH) {
        this.hasEscape = true;
        next = this.#skipEscape(next);
        if (next === REFUSED) return REFUSED;
      } else if (byte < SPACE) {
        return this.refuse('control_character', next);
      } else {
        next++;
        if (next - at > SHORT_STRING_BYTES) next = this.#skipPlainBytes(next);
      }
    }
    return this.refuse('malformed', length);
  }

  /**
   * Steps over bytes that need no look, four at a time, and stops at or a little before the first that does. A byte is
   * suspect when subtracting 0x20 borrows into its top bit, or XOR with a quote or a backslash leaves zero.
   */
  #skipPlainBytes(at: number): number {
    const words = (this.#words ??= new DataView(this.body.buffer, this.body.byteOffset, this.#length));
    const end = this.#length - 3;
    let next = at;
    while (next < end) {
      const word = words.getInt32(next);
      const quotes = word ^ 0x22222222;
      const backslashes = word ^ 0x5c5c5c5c;
      const suspect =
        ((word - 0x20202020) & ~word) |
        ((quotes - 0x01010101) & ~quotes) |
        ((backslashes - 0x01010101) & ~backslashes);
      if ((suspect & 0x80808080) !== 0) break;
      next += 4;
    }
    return next;
  }

  /** `at` is the backslash. */
  #skipEscape(at: number): number {
    if (at + 1 >= this.#length) return this.refuse('malformed', at);
    switch (this.body[at + 1] as number) {
      case QUOTE:
      case BACKSLASH:
      case 0x2f:
      case 0x62:
      case 0x66:
      case 0x6e:
      case 0x72:
      case 0x74:
        return at + 2;
      case LETTER_U:
        return this.#skipUnicodeEscape(at);
      default:
        return this.refuse('malformed', at);
    }
  }

  #skipUnicodeEscape(at: number): number {
    const unit = this.#readHex4(at + 2);
    if (unit === REFUSED) return this.refuse('malformed', at);
    if (unit < 0xd800 || unit > 0xdfff) return at + 6;
    if (unit > 0xdbff || !this.byteIs(at + 6, BACKSLASH) || !this.byteIs(at + 7, LETTER_U)) {
      return this.refuse('lone_surrogate', at);
    }
    const low = this.#readHex4(at + 8);
    if (low === REFUSED) return this.refuse('malformed', at + 6);
    return low >= 0xdc00 && low <= 0xdfff ? at + 12 : this.refuse('lone_surrogate', at);
  }

  #readHex4(at: number): number {
    if (at + 4 > this.#length) return REFUSED;
    let value = 0;
    for (let next = at; next < at + 4; next++) {
      const byte = this.body[next] as number;
      const lower = byte | 0x20;
      if (byte >= ZERO && byte <= NINE) value = value * 16 + byte - ZERO;
      else if (lower >= 0x61 && lower <= 0x66) value = value * 16 + lower - 0x57;
      else return REFUSED;
    }
    return value;
  }

  /** Refuses whatever cannot begin a value, too. */
  skipNumber(at: number): number {
    const integer = this.byteIs(at, MINUS) ? at + 1 : at;
    let next = this.byteIs(integer, ZERO) ? integer + 1 : this.#skipDigits(integer);
    if (next === REFUSED) return REFUSED;
    if (this.byteIs(next, DOT)) {
      next = this.#skipDigits(next + 1);
      if (next === REFUSED) return REFUSED;
    }
    if (this.byteIs(next, 0x65) || this.byteIs(next, 0x45)) {
      const hasSign = this.byteIs(next + 1, PLUS) || this.byteIs(next + 1, MINUS);
      next = this.#skipDigits(hasSign ? next + 2 : next + 1);
    }
    return next;
  }

  /** At least one digit. */
  #skipDigits(at: number): number {
    const body = this.body;
    let next = at;
    while (next < this.#length) {
      const byte = body[next] as number;
      if (byte < ZERO || byte > NINE) break;
      next++;
    }
    return next === at ? this.refuse('malformed', at) : next;
  }

  skipLiteral(at: number, literal: string): number {
    for (let index = 1; index < literal.length; index++) {
      if (!this.byteIs(at + index, literal.charCodeAt(index))) return this.refuse('malformed', at);
    }
    return at + literal.length;
  }

  /** The first refusal stands. */
  refuse(reason: JsonRefusalReason, offset: number, key?: string): typeof REFUSED {
    this.refusal ??= new JsonRefusal(reason, offset, key?.slice(0, KEY_CHARACTERS_MAX));
    return REFUSED;
  }

  /** False also behind the end. */
  byteIs(at: number, byte: number): boolean {
    return at < this.#length && this.body[at] === byte;
  }
}
