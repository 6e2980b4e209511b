/** What this process knows by itself of its node's audit chain: what the writer began from, and each state that it made durable. */
import type { ChainState } from './audit-chain.ts';
import type { ChainReport } from './chain-tip.ts';

/** A state of one node's chain. */
export interface ChainPoint extends ChainState {
  readonly node: number;
}

/** A writer read its chain from the database, since it had none in memory: until that is checked it proves nothing. */
export interface ChainOpening {
  /** Grows with each. */
  readonly number: number;
  readonly point: ChainPoint;
  /** The newest state of the writer before it, which the rows must still tell of where it is of the same node. */
  readonly before: ChainPoint | undefined;
}

/** A hundred million records, which a process takes hours to write; they are taken every second. */
const MILESTONES_MAX = 100_000;

export class ChainMemory {
  #opening: ChainOpening;
  #newest: ChainPoint;
  #milestones: ChainPoint[] = [];

  constructor(point: ChainPoint) {
    this.#opening = { number: 1, point, before: undefined };
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

  /** A new writer begins at `point`, as it is in the database. */
  open(point: ChainPoint): void {
    this.#opening = { number: this.#opening.number + 1, point, before: this.#newest };
    this.#newest = point;
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
