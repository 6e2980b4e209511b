/**
 * The live claims of an embedded database, in the memory of its one writer, so that a claim costs an append and no search
 * of a tree on disk. The rows are the truth: the index is read from them at start and undone with its transaction.
 */
import { CLAIMS_KEPT_MS } from '../statement.ts';

/** Claims are kept by when they came, so that many are forgotten at once. */
const GENERATION_MS = CLAIMS_KEPT_MS / 2;

interface Pending {
  readonly value: string;
  readonly generation: DigestSet;
}

export class ClaimIndex {
  readonly #monotonicMs: () => number;
  readonly #generations = new Map<number, DigestSet>();
  /** Claims of the transaction that runs, in their order. */
  #pending: Pending[] = [];

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  /** False when the value is claimed already. */
  add(value: string): boolean {
    const digest = readDigest(value);
    for (const generation of this.#generations.values()) if (generation.has(digest)) return false;
    const generation = this.#currentGeneration();
    generation.add(digest);
    this.#pending.push({ value, generation });
    return true;
  }

  /** A point to return to with `undoTo`. */
  mark(): number {
    return this.#pending.length;
  }

  undoTo(mark: number): void {
    for (const { value, generation } of this.#pending.splice(mark)) generation.delete(readDigest(value));
  }

  /** What must be written before the commit. */
  get pending(): readonly string[] {
    return this.#pending.map(({ value }) => value);
  }

  /** The transaction is over, and its claims stand; those that were kept long enough are forgotten. */
  settle(): void {
    this.#pending = [];
    const keptFromMs = this.#monotonicMs() - CLAIMS_KEPT_MS;
    for (const number of this.#generations.keys()) {
      if ((number + 1) * GENERATION_MS <= keptFromMs) this.#generations.delete(number);
    }
  }

  #currentGeneration(): DigestSet {
    const number = Math.floor(this.#monotonicMs() / GENERATION_MS);
    let generation = this.#generations.get(number);
    if (generation === undefined) {
      generation = new DigestSet();
      this.#generations.set(number, generation);
    }
    return generation;
  }
}

/** Two words of 32 bits: of a digest so long, two that are alike by chance are not expected in the life of a machine. */
interface Digest {
  readonly high: number;
  readonly low: number;
}

function readDigest(value: string): Digest {
  const bytes = Buffer.from(value, 'base64url');
  // 0 and 1 mark slots: see below.
  return { high: bytes.readUInt32LE(0), low: Math.max(2, bytes.readUInt32LE(4)) };
}

const SLOTS_MIN = 1_024;
const EMPTY = 0;
const DELETED = 1;

/** A hash table of digests in one array of numbers: millions of entries that the garbage collector need not look at. */
class DigestSet {
  #words = new Uint32Array(2 * SLOTS_MIN);
  /** Slots that are not empty. */
  #used = 0;
  /** Slots that hold a digest. */
  #live = 0;

  has(digest: Digest): boolean {
    return this.#words[2 * this.#find(digest)] === digest.low;
  }

  add(digest: Digest): void {
    if (2 * (this.#used + 1) > this.#words.length / 2) this.#grow();
    this.#put(digest);
  }

  delete(digest: Digest): void {
    const slot = this.#find(digest);
    if (this.#words[2 * slot] !== digest.low) return;
    this.#words[2 * slot] = DELETED;
    this.#live--;
  }

  #put({ high, low }: Digest): void {
    const slot = this.#find({ high, low });
    this.#words[2 * slot] = low;
    this.#words[2 * slot + 1] = high;
    this.#used++;
    this.#live++;
  }

  /** The digest's slot, or the empty one where it would be. A table is never more than half full, so there is one. */
  #find({ high, low }: Digest): number {
    const mask = this.#words.length / 2 - 1;
    for (let slot = high & mask; ; slot = (slot + 1) & mask) {
      const word = this.#words[2 * slot];
      if (word === EMPTY || (word === low && this.#words[2 * slot + 1] === high)) return slot;
    }
  }

  /** Makes room: twice as many slots, or as many, where most of those in use hold nothing any more. */
  #grow(): void {
    const old = this.#words;
    const isMostlyDeleted = 2 * this.#live < this.#used;
    this.#words = new Uint32Array(isMostlyDeleted ? old.length : 2 * old.length);
    this.#used = 0;
    this.#live = 0;
    for (let index = 0; index < old.length; index += 2) {
      const [low = EMPTY, high = 0] = [old[index], old[index + 1]];
      if (low > DELETED) this.#put({ high, low });
    }
  }
}
