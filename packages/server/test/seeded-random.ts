/** Test support: random choices that all come from one seed, so that a run can be repeated. */

/** Mulberry32: small, fast, and the same everywhere. Numbers from 0 up to, and without, 1. */
export function createRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * A stream of choices. What happens at once must not draw from one stream, since the order of the draws would be the
 * operating system's: each call, each fault draws from a fork of its own, which its name alone determines.
 */
export class SeededRandom {
  readonly #seed: number;
  readonly #next: () => number;

  constructor(seed: number) {
    this.#seed = seed;
    this.#next = createRandom(seed);
  }

  fork(name: string): SeededRandom {
    return new SeededRandom(mix(this.#seed, name));
  }

  /** From 0 up to, and without, 1. */
  fraction(): number {
    return this.#next();
  }

  /** A whole number from `from` to `to`, both of them possible. */
  between(from: number, to: number): number {
    return from + Math.floor(this.#next() * (to - from + 1));
  }

  chance(probability: number): boolean {
    return this.#next() < probability;
  }

  pick<T>(from: readonly T[]): T {
    const picked = from[Math.floor(this.#next() * from.length)];
    if (picked === undefined) throw new RangeError('nothing to pick from');
    return picked;
  }

  /** One of the names, as often as its weight says. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const entries = Object.entries(weights) as [Name, number][];
    let rest = this.#next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      rest -= weight;
      if (rest < 0) return name;
    }
    throw new RangeError('no weights');
  }
}

/** FNV-1a over the name, begun with the seed. */
function mix(seed: number, name: string): number {
  let hash = (seed ^ 0x811c9dc5) >>> 0;
  for (let index = 0; index < name.length; index++) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193) >>> 0;
  }
  return hash;
}
