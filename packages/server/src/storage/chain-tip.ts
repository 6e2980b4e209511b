/** Where a writer's chain has come to, with what its transaction has added until that is undone or durable. */
import { type ChainState, type ChainedRecord, chainRecord } from './audit-chain.ts';

/** Every state at which the sequence is a multiple of this is told: there is a checkpoint of each. */
export const MILESTONE_RECORDS = 1_000;

/** A chain as the writer's own memory has it, which no edited row can change. */
export interface ChainReport extends ChainState {
  /** Oldest first; what was told before is not told again. */
  readonly milestones: readonly ChainState[];
}

export class ChainTip {
  #state: ChainState;
  #milestones: ChainState[] = [];

  constructor(state: ChainState) {
    this.#state = state;
  }

  get state(): ChainState {
    return this.#state;
  }

  append(of: { readonly node: number; readonly body: string }): ChainedRecord {
    const chained = chainRecord(this.#state, of);
    this.#state = chained.state;
    if (chained.state.sequence % MILESTONE_RECORDS === 0) this.#milestones.push(chained.state);
    return chained;
  }

  undoTo(state: ChainState): void {
    this.#state = state;
    while ((this.#milestones.at(-1)?.sequence ?? 0) > state.sequence) this.#milestones.pop();
  }

  /** Right after a commit: what it made durable. */
  report(): ChainReport {
    const milestones = this.#milestones;
    if (milestones.length > 0) this.#milestones = [];
    const { sequence, head } = this.#state;
    return { sequence, head, milestones };
  }
}
