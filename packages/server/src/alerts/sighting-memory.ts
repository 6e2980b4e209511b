/** What keys were seen with before. A key's first sightings teach, and are no news. */
import { BoundedMap } from './bounded-map.ts';
import type { SightingKind } from './rule.ts';

/** A key teaches until it has made so many calls, or for so long, whichever comes first. */
export const TEACHING_CALLS = 100;
export const TEACHING_MS = 86_400_000;
/** Of one key and kind; beyond it the oldest is forgotten. */
export const SIGHTINGS_MAX = 256;
/** Keys whose sightings of a kind are in memory; others are read again. */
const KNOWN_MAX = 5_000;

export interface KnownSightings {
  /** Of its first sighting; absent where there is none yet. */
  readonly sinceMs: number | undefined;
  readonly calls: number;
  /** Oldest first. */
  readonly values: readonly string[];
}

/** `taught`: it was not known, and is to be remembered without a word. */
export interface Look {
  readonly news: 'known' | 'taught' | 'new';
  readonly calls: number;
}

/** What one key was seen with, of one kind. */
export class Sightings {
  readonly #sinceMs: number;
  readonly #values: Set<string>;
  #calls: number;

  constructor({ sinceMs, calls, values }: KnownSightings, nowMs: number) {
    this.#sinceMs = sinceMs ?? nowMs;
    this.#calls = calls;
    this.#values = new Set(values);
  }

  /** Was the key seen with this before? From here on it was. */
  look(value: string, atMs: number): Look {
    const isTeaching = this.#calls < TEACHING_CALLS && atMs - this.#sinceMs < TEACHING_MS;
    const calls = ++this.#calls;
    if (this.#values.has(value)) return { news: 'known', calls };
    this.#values.add(value);
    if (this.#values.size > SIGHTINGS_MAX) {
      const [oldest = ''] = this.#values;
      this.#values.delete(oldest);
    }
    return { news: isTeaching ? 'taught' : 'new', calls };
  }
}

export class SightingMemory {
  readonly #load: (keyId: string, kind: SightingKind) => Promise<KnownSightings>;
  readonly #known: Readonly<Record<SightingKind, BoundedMap<Sightings>>> = {
    model: new BoundedMap(KNOWN_MAX),
    network: new BoundedMap(KNOWN_MAX),
  };

  constructor(ports: { sightingsOf(keyId: string, kind: SightingKind): Promise<KnownSightings> }) {
    this.#load = (keyId, kind) => ports.sightingsOf(keyId, kind);
  }

  find(keyId: string, kind: SightingKind): Sightings | undefined {
    return this.#known[kind].get(keyId);
  }

  /** From here on they are found. A key that has none yet is taught from now on. */
  async load(keyId: string, kind: SightingKind, nowMs: number): Promise<void> {
    this.#known[kind].set(keyId, new Sightings(await this.#load(keyId, kind), nowMs));
  }
}
