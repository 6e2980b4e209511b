/**
 * Chooses among the targets that may serve a call: the first priority that has one in good health; there the one with
 * the fewest running calls for its weight, and among equals the one that has served least for its weight. So calls that
 * come one by one are spread by weight exactly, and calls that pile up at a slow target go elsewhere.
 */
import type { Candidate } from './select-targets.ts';
import { targetId } from './target.ts';

export interface TargetState {
  /** Calls that run there now. */
  readonly running: number;
  readonly isAvailable: boolean;
  /** How long it is still to be passed over. */
  readonly restMs: number;
}

/** Targets that are remembered; beyond it all begin anew. */
const SERVED_MAX = 10_000;

export class Balancer {
  readonly #served = new Map<string, number>();

  /** `undefined` only where there is no candidate. When none is in good health, the one that rests least. */
  choose(
    candidates: readonly Candidate[],
    stateOf: (candidate: Candidate) => TargetState,
  ): Candidate | undefined {
    const [only, ...others] = candidates;
    if (others.length === 0) return only;
    const states = candidates.map((candidate) => ({ candidate, ...stateOf(candidate) }));
    const available = states.filter(({ isAvailable }) => isAvailable);
    if (available.length === 0) return leastOf(states, [({ restMs }) => restMs])?.candidate;
    const chosen = leastOf(available, [
      ({ candidate }) => candidate.priority,
      ({ candidate, running }) => running / candidate.weight,
      ({ candidate }) => this.#servedBy(candidate) / candidate.weight,
    ])?.candidate;
    if (chosen !== undefined)
      this.#count(
        chosen,
        available.map(({ candidate }) => candidate),
      );
    return chosen;
  }

  #servedBy({ target }: Candidate): number {
    return this.#served.get(targetId(target)) ?? 0;
  }

  /** One that is new, or was passed over for a while, begins where the others are: it need not catch up. */
  #count(chosen: Candidate, group: readonly Candidate[]): void {
    if (this.#served.size > SERVED_MAX) this.#served.clear();
    const peers = group.filter(({ priority }) => priority === chosen.priority);
    const most = Math.max(...peers.map((peer) => this.#servedBy(peer) / peer.weight));
    const lag = LAG_CALLS_MAX / Math.min(...peers.map(({ weight }) => weight));
    for (const peer of peers) {
      const least = Math.floor((most - lag) * peer.weight);
      if (this.#servedBy(peer) < least) this.#served.set(targetId(peer.target), least);
    }
    this.#served.set(targetId(chosen.target), this.#servedBy(chosen) + 1);
  }
}

/** How many calls the one of the least weight may be behind the others. */
const LAG_CALLS_MAX = 2;

/** The first item that is least by the first measure that tells them apart. */
function leastOf<Item>(
  items: readonly Item[],
  measures: readonly ((item: Item) => number)[],
): Item | undefined {
  let least: Item | undefined;
  for (const item of items) if (least === undefined || isLess(item, least, measures)) least = item;
  return least;
}

function isLess<Item>(left: Item, right: Item, measures: readonly ((item: Item) => number)[]): boolean {
  for (const measure of measures) {
    const difference = measure(left) - measure(right);
    if (difference !== 0) return difference < 0;
  }
  return false;
}
