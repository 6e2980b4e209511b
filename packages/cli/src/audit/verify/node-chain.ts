/** One node's chain as its records come by: folds their hashes, compares with the signed heads, and finds the first bad record. */
import { type ExportLine, FIRST_HEAD, nextHead } from './export-line.ts';

export type BadReason =
  | 'changed'
  | 'removed'
  | 'inserted'
  | 'out_of_order'
  | 'not_a_record'
  | 'too_long'
  | 'cut_off'
  | 'rewritten'
  | 'truncated'
  | 'two_histories'
  | 'beginning_missing'
  | 'not_covered';

/** The first record that is not as it was. */
export interface Bad {
  readonly sequence: number;
  /** Where it cannot be told which: it is one of those up to this one. */
  readonly through?: number | undefined;
  readonly reason: BadReason;
}

/** The signed heads of one node by their sizes, base64url. */
export type SignedHeads = ReadonlyMap<number, string>;

export interface ChainOptions {
  /** What lies beyond the given records is not missed. */
  readonly isPart: boolean;
}

export class NodeChain {
  readonly node: number;
  /** Each counts once, in however many files it is. */
  records = 0;
  first = 0;
  last = 0;
  bad: Bad | undefined;
  /** Checkpoints whose head the records come to. */
  matched = 0;
  /** Everything up to here is proven by a checkpoint; 0 where nothing is. */
  provenThrough = 0;
  /** Records before the first are not here and no checkpoint says what they came to. */
  isBeginningUnknown = false;
  /** What a further file says, and no signed head: nothing is wrong with it, and nothing proves it. */
  unproven: Bad | undefined;
  /** Records at the ends of parts that no checkpoint covers. */
  #uncoveredBefore = 0;
  /** Where the records begin that follow each other without a gap. */
  #partFirst = 0;
  /** Where the file begins that repeats what another has said, and whether it begins at a signed head. */
  #repeated: { readonly from: number; readonly isSigned: boolean } | undefined;
  readonly #signed: SignedHeads;
  readonly #isPart: boolean;
  /** The place and the head that the next record is folded onto. Behind `last` where a file repeats another. */
  #at = 0;
  #head = FIRST_HEAD;
  #lastHead = FIRST_HEAD;
  /** Nothing up to here is doubtful: where a rewritten stretch would begin. */
  #sureThrough = 0;
  /** A number that should have come where a lower one stood: was that inserted, or is it this one under another number? */
  #doubtful: number | undefined;

  constructor(node: number, signed: SignedHeads, { isPart }: ChainOptions) {
    this.node = node;
    this.#signed = signed;
    this.#isPart = isPart;
  }

  /** The head after the last record, base64url. */
  get head(): string {
    return this.#lastHead;
  }

  /** Records behind the newest checkpoint that is met. */
  get uncovered(): number {
    return this.#uncoveredBefore + Math.max(0, this.last - Math.max(this.provenThrough, this.#partFirst - 1));
  }

  /** The sequence that has to come next. */
  get expected(): number {
    return this.#at + 1;
  }

  /** `isNewFile`: it is the node's first line in its file. */
  add(line: Buffer, at: ExportLine, isNewFile: boolean): void {
    this.records++;
    if (this.bad !== undefined) return this.#recognise(at);
    if (this.first === 0) return this.#begin(line, at);
    if (isNewFile && at.sequence !== this.#at + 1 && this.#joins(at)) return this.#rejoin(line, at);
    if (at.sequence !== this.#at + 1) return this.#misplaced(at);
    this.#fold(line, at);
  }

  /** A line that is none, where the next record has to be. */
  addBroken(reason: BadReason): void {
    this.records++;
    this.bad ??= { sequence: this.#at + 1, reason };
  }

  /** To be called after the last file. */
  finish(): void {
    this.#closeRepeated();
    if (this.#doubtful !== undefined && this.#signed.has(this.#doubtful)) {
      this.bad = { sequence: this.#doubtful, reason: 'changed' };
    }
    if (this.bad !== undefined || this.#isPart) return;
    for (const size of this.#signed.keys()) {
      if (size > this.last) this.bad = { sequence: this.last + 1, reason: 'truncated' };
    }
  }

  #begin(line: Buffer, at: ExportLine): void {
    this.first = at.sequence;
    this.#partFirst = at.sequence;
    this.last = at.sequence - 1;
    this.#start(line, at);
  }

  /** From the first record, from a signed head, or from what the export claims. */
  #start(line: Buffer, at: ExportLine): void {
    const before = at.sequence === 1 ? FIRST_HEAD : this.#signed.get(at.sequence - 1);
    this.#at = at.sequence - 1;
    this.#sureThrough = this.#at;
    if (at.sequence <= this.last) {
      this.#repeated = { from: at.sequence, isSigned: before !== undefined };
    }
    if (before !== undefined) {
      this.#head = before;
      return this.#fold(line, at);
    }
    this.isBeginningUnknown ||= at.sequence > this.last;
    this.#advance(at.head);
  }

  #fold(line: Buffer, at: ExportLine): void {
    const head = nextHead(this.#head, line);
    if (head !== at.head) {
      this.bad = { sequence: at.sequence, reason: 'changed' };
      return;
    }
    this.#advance(head);
  }

  #advance(head: string): void {
    this.#head = head;
    this.#at++;
    const isNew = this.#at > this.last;
    // Where two files have the same records, they must have come to the same.
    if (this.#at === this.last && head !== this.#lastHead) {
      this.bad = { sequence: this.#sureThrough + 1, through: this.#at, reason: 'two_histories' };
      return;
    }
    if (isNew) {
      this.last = this.#at;
      this.#lastHead = head;
    } else this.records--;
    const signed = this.#signed.get(this.#at);
    if (signed === undefined) return;
    if (signed !== head) {
      this.bad = { sequence: this.#sureThrough + 1, through: this.#at, reason: 'rewritten' };
      return;
    }
    this.#sureThrough = this.#at;
    if (!isNew) return;
    this.matched++;
    this.provenThrough = this.#at;
  }

  /** A further file may repeat what another has said, or leave something out where only parts are asked for. */
  #joins(at: ExportLine): boolean {
    return at.sequence <= this.last + 1 || this.#isPart;
  }

  /** What was repeated is proven if it begins at a signed head, and ends at one or where it meets what it repeats. */
  #closeRepeated(): void {
    const repeated = this.#repeated;
    this.#repeated = undefined;
    if (repeated === undefined) return;
    const isClosed = this.#at >= this.last || this.#signed.has(this.#at);
    if (repeated.isSigned && isClosed) return;
    const sequence = repeated.isSigned ? Math.max(repeated.from, this.#sureThrough + 1) : repeated.from;
    // A head that leads to a signed one is right: only the record is not known that it is said to come after.
    this.unproven ??= { sequence, through: isClosed ? sequence : this.#at, reason: 'not_covered' };
  }

  /** Of a part that nothing signed is met in, nothing is known; of one that ends behind it, how much. */
  #closePart(next: ExportLine): void {
    if (this.provenThrough < this.#partFirst) {
      this.unproven ??= { sequence: this.#partFirst, through: this.last, reason: 'not_covered' };
    }
    this.#uncoveredBefore = this.uncovered;
    this.#partFirst = next.sequence;
    this.last = next.sequence - 1;
  }

  #rejoin(line: Buffer, at: ExportLine): void {
    this.#closeRepeated();
    if (at.sequence === this.last + 1) {
      this.#at = this.last;
      this.#head = this.#lastHead;
      return this.#fold(line, at);
    }
    if (at.sequence > this.last) this.#closePart(at);
    this.#start(line, at);
  }

  #misplaced({ sequence }: ExportLine): void {
    const expected = this.#at + 1;
    if (sequence > expected) {
      this.bad = { sequence: expected, through: sequence - 1, reason: 'removed' };
      return;
    }
    this.#doubtful = expected;
    if (sequence < this.first) this.bad = { sequence: 1, reason: 'out_of_order' };
    else if (sequence === this.#at) this.bad = { sequence, reason: 'inserted' };
    else this.bad = { sequence: expected, reason: 'out_of_order' };
  }

  /** What follows a bad record may say what happened to it. */
  #recognise({ sequence }: ExportLine): void {
    const { bad } = this;
    if (bad === undefined) return;
    const doubtful = this.#doubtful;
    this.#doubtful = undefined;
    if (sequence < this.first) {
      this.bad = { sequence: 1, reason: 'out_of_order' };
    } else if (doubtful !== undefined && sequence === doubtful + 1) {
      // Nothing took the place of the one before but another number.
      this.bad = { sequence: doubtful, reason: 'changed' };
    } else if (bad.reason === 'rewritten' && sequence === bad.through) {
      this.bad = { sequence, reason: 'inserted' };
    } else if (sequence === bad.sequence && bad.reason === 'removed') {
      this.bad = { sequence, reason: 'out_of_order' };
    } else if (sequence === bad.sequence && bad.reason === 'changed') {
      this.bad = { sequence, reason: 'inserted' };
    }
  }
}
