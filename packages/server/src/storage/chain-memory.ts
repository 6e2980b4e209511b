/** What this process knows by itself of its node's audit chain: what the writer began from, and each state that it made durable. */
import type { ChainState } from './audit-chain.ts';
import type { ChainReport } from './chain-tip.ts';

/** A state of one node's chain. */
export interface ChainPoint extends ChainState {
  readonly node: number;
}

/** What writers before this one had made durable. */
export interface EarlierPoint extends ChainPoint {
  /** The beginning of that writer was found to hold: then so does this. */
  readonly isConfirmed: boolean;
}

/** A writer read its chain from the database, since it had none in memory: until that is checked it proves nothing. */
export interface ChainOpening {
  /** Grows with each. */
  readonly number: number;
  readonly point: ChainPoint;
  /** What the rows must still tell of. Of writers whose beginning was not checked before they were lost as well. */
  readonly before: readonly EarlierPoint[];
}

/** A hundred million records, which a process takes hours to write; they are taken every second. */
const MILESTONES_MAX = 100_000;

export class ChainMemory {
  #opening: ChainOpening;
  #newest: ChainPoint;
  #milestones: ChainPoint[] = [];
  #isConfirmed = false;

  constructor(point: ChainPoint) {
    this.#opening = { number: 1, point, before: [] };
    this.#newest = point;
  }

  get opening(): ChainOpening {
    return this.#opening;
  }

  /** The newest durable state. */
  get newest(): ChainPoint {
    return this.#newest;
  }

  /** The states at multiples of `MILESTONE_RECORDS` that were not taken yet, oldest first. */
  takeMilestones(): readonly ChainPoint[] {
    const taken = this.#milestones;
    this.#milestones = [];
    return taken;
  }

  /** Whether what the writer began from was checked. */
  get isConfirmed(): boolean {
    return this.#isConfirmed;
  }

  /** What the writer began from, in the opening of that number, holds: nothing before it is needed any more. */
  confirm(number: number): void {
    if (number !== this.#opening.number) return;
    this.#isConfirmed = true;
    this.#opening = { ...this.#opening, before: [] };
  }

  /** Somebody else has written or signed for this node: what the writer goes on from is checked again. */
  doubt(): void {
    this.#isConfirmed = false;
  }

  /** A new writer begins at `point`, as it is in the database. */
  open(point: ChainPoint): void {
    const newest = { ...this.#newest, isConfirmed: this.#isConfirmed };
    // Of a node, the first that was lost and the last: sessions may come and go for long before anything is checked.
    const earlier = this.#opening.before;
    const first = earlier.find(({ node }) => node === newest.node);
    const kept = earlier.filter((of) => of.node !== newest.node || of === first);
    this.#opening = { number: this.#opening.number + 1, point, before: [...kept, newest] };
    this.#newest = point;
    this.#isConfirmed = false;
  }

  /** A commit went through. */
  advance(node: number, { sequence, head, milestones }: ChainReport): void {
    if (sequence === this.#newest.sequence && node === this.#newest.node) return;
    this.#newest = { node, sequence, head };
    for (const state of milestones) {
      if (this.#milestones.length >= MILESTONES_MAX) this.#milestones.shift();
      this.#milestones.push({ node, ...state });
    }
  }
}
