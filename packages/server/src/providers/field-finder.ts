/**
 * Responsible for finding a few fields of a JSON object while its bytes go by, however they are cut. One event of a stream
 * may be a whole answer or picture of many megabytes, and its usage comes last in it: so no event is kept, only the values
 * that are looked for. It follows strings and nesting; what it finds is for the caller to parse.
 */

/** Which fields are looked for: those of the object itself, and those of one that it holds, or of each in a list. */
export interface FieldShape<Field extends string> {
  readonly top: readonly Field[];
  readonly inside: { readonly key: string; readonly isList: boolean; readonly fields: readonly Field[] };
}

export interface FoundField<Field extends string = string> {
  readonly field: Field;
  /** Cut short after `FIELD_BYTES_MAX`, and then no JSON. */
  readonly json: Buffer;
}

/** The most that is kept of a value. Usage has some hundreds of bytes. */
export const FIELD_BYTES_MAX = 16_384;

/** The most values that are kept of one object. */
export const FIELDS_MAX = 64;

/** One object after another: `push` the parts of one, then `end` it. Never throws. Keeps nothing of what it is given. */
export class FieldFinder<Field extends string> {
  readonly #shape: FieldShape<Field>;
  /** How deep the keys of what it holds lie. */
  readonly #insideDepth: number;
  #state: 'before' | 'inside' | 'after' | 'foreign' | 'broken' = 'before';
  #depth = 0;
  #isInString = false;
  #isEscaped = false;
  /** A string that begins now is a key, in an object whose keys matter. */
  #expectsKey = false;
  #isKey = false;
  #key = '';
  /** The field of the object itself that is being read. */
  #topKey = '';
  #isInside = false;
  /** The value that is being kept, and from where on in the part at hand. */
  #wanted: Field | undefined = undefined;
  #wantedDepth = 0;
  #keepFrom = 0;
  #kept: Buffer[] = [];
  #keptBytes = 0;
  #found: FoundField<Field>[] = [];

  constructor(shape: FieldShape<Field>) {
    this.#shape = shape;
    this.#insideDepth = shape.inside.isList ? LISTED_DEPTH : HELD_DEPTH;
  }

  push(part: Buffer): void {
    this.#keepFrom = 0;
    let at = 0;
    while (at < part.length && this.#state !== 'foreign' && this.#state !== 'broken') {
      at = this.#isInString ? this.#readString(part, at) : this.#readToken(part, at);
    }
    if (this.#wanted !== undefined) this.#keep(part.subarray(this.#keepFrom));
  }

  /** The data goes on in another line, which no string can. */
  breakLine(): void {
    if (this.#isInString && this.#state === 'inside') this.#state = 'broken';
    if (this.#wanted !== undefined) this.#keep(LINE_BREAK);
  }

  /** What the object has of the fields; none when the data is no object at all, `broken` when it has no proper end. */
  end(): readonly FoundField<Field>[] | 'broken' {
    const state = this.#state;
    const found = this.#found;
    this.#state = 'before';
    this.#depth = 0;
    this.#isInString = false;
    this.#isEscaped = false;
    this.#drop();
    this.#found = [];
    if (state === 'inside' || state === 'broken') return 'broken';
    return state === 'after' ? found : [];
  }

  #readString(part: Buffer, from: number): number {
    let at = from;
    if (this.#isEscaped) {
      this.#isEscaped = false;
      at++;
    }
    while (at < part.length) {
      const byte = part[at];
      if (byte === QUOTE) {
        this.#isInString = false;
        break;
      }
      at += byte === BACKSLASH ? 2 : 1;
    }
    if (this.#isInString && at > part.length) this.#isEscaped = true;
    if (this.#isKey) this.#key = (this.#key + part.toString('latin1', from, at)).slice(0, KEY_CHARACTERS_MAX);
    return this.#isInString ? part.length : at + 1;
  }

  #readToken(part: Buffer, at: number): number {
    const byte = part[at] as number;
    if (byte <= SPACE) return at + 1;
    if (this.#state === 'before') this.#state = byte === OPEN_BRACE ? 'inside' : 'foreign';
    else if (this.#state === 'after') this.#state = 'broken';
    if (this.#state !== 'inside') return part.length;
    switch (byte) {
      case QUOTE:
        this.#isInString = true;
        this.#isKey = this.#expectsKey;
        if (this.#isKey) this.#key = '';
        break;
      case OPEN_BRACE:
      case OPEN_BRACKET:
        this.#open(byte);
        break;
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        this.#endValue(part, at);
        this.#close(byte);
        break;
      case COMMA:
        this.#endValue(part, at);
        this.#expectsKey = this.#hasKeysThatMatter();
        break;
      case COLON:
        if (this.#expectsKey) this.#beginValue(at + 1);
        break;
      default:
    }
    return at + 1;
  }

  #open(byte: number): void {
    this.#depth++;
    if (this.#depth === HELD_DEPTH) {
      const { key, isList } = this.#shape.inside;
      this.#isInside = this.#topKey === key && (byte === OPEN_BRACKET) === isList;
    }
    this.#expectsKey = this.#hasKeysThatMatter();
  }

  #close(byte: number): void {
    this.#expectsKey = false;
    this.#depth--;
    if (this.#depth === 0) this.#state = byte === CLOSE_BRACE ? 'after' : 'broken';
  }

  /** A list has no keys. */
  #hasKeysThatMatter(): boolean {
    return this.#depth === TOP_DEPTH || (this.#depth === this.#insideDepth && this.#isInside);
  }

  #beginValue(from: number): void {
    this.#expectsKey = false;
    const isTop = this.#depth === TOP_DEPTH;
    if (isTop) this.#topKey = this.#key;
    const { top, inside } = this.#shape;
    this.#wanted = (isTop ? top : inside.fields).find((field) => field === this.#key);
    this.#wantedDepth = this.#depth;
    this.#keepFrom = from;
  }

  /** A comma or a closing brace ends a value of the object that it stands in. */
  #endValue(part: Buffer, at: number): void {
    if (this.#wanted === undefined || this.#depth !== this.#wantedDepth) return;
    this.#keep(part.subarray(this.#keepFrom, at));
    if (this.#found.length === FIELDS_MAX) this.#state = 'broken';
    else this.#found.push({ field: this.#wanted, json: Buffer.concat(this.#kept) });
    this.#drop();
  }

  /** Copies, since the caller's bytes are not ours to hold. */
  #keep(bytes: Buffer): void {
    const kept = bytes.subarray(0, FIELD_BYTES_MAX - this.#keptBytes);
    if (kept.length === 0) return;
    this.#kept.push(Buffer.from(kept));
    this.#keptBytes += kept.length;
  }

  #drop(): void {
    this.#wanted = undefined;
    this.#kept = [];
    this.#keptBytes = 0;
  }
}

/** How deep keys lie: in the object, in one that it holds, and in the objects of a list. */
const TOP_DEPTH = 1;
const HELD_DEPTH = 2;
const LISTED_DEPTH = 3;
/** More than any of the names has, so that a longer key is never taken for one of them. */
const KEY_CHARACTERS_MAX = 32;

const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const LINE_BREAK = Buffer.from('\n');
