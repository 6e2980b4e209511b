/** What keys were seen with before. A key's first sightings teach, and are no news. */
import { BoundedMap } from './bounded-map.ts';
import type { Sighting, SightingKind } from './rule.ts';

/** A key teaches until it has made so many calls, or for so long, whichever comes first. */
export const TEACHING_CALLS = 100;
export const TEACHING_MS = 86_400_000;
/** Of one key and kind; beyond it the oldest is forgotten. */
export const SIGHTINGS_MAX = 256;
/** Keys and kinds whose sightings are in memory; others are read again. */
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

interface Known {
  sinceMs: number;
  calls: number;
  readonly values: Set<string>;
}

export class SightingMemory {
  readonly #load: (keyId: string, kind: SightingKind) => Promise<KnownSightings>;
  readonly #known = new BoundedMap<Known>(KNOWN_MAX);

  constructor(ports: { sightingsOf(keyId: string, kind: SightingKind): Promise<KnownSightings> }) {
    this.#load = (keyId, kind) => ports.sightingsOf(keyId, kind);
  }

  /** Was the key seen with this before? From here on it was. */
  async look({ keyId, kind, value, atMs }: Omit<Sighting, 'calls'>): Promise<Look> {
    const known = await this.#find(keyId, kind, atMs);
    const isTeaching = known.calls < TEACHING_CALLS && atMs - known.sinceMs < TEACHING_MS;
    known.calls++;
    if (known.values.has(value)) return { news: 'known', calls: known.calls };
    known.values.add(value);
    if (known.values.size > SIGHTINGS_MAX) {
      const [oldest = ''] = known.values;
      known.values.delete(oldest);
    }
    return { news: isTeaching ? 'taught' : 'new', calls: known.calls };
  }

  async #find(keyId: string, kind: SightingKind, atMs: number): Promise<Known> {
    const name = `${kind} ${keyId}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const { sinceMs = atMs, calls, values } = await this.#load(keyId, kind);
    const loaded = { sinceMs, calls, values: new Set(values) };
    this.#known.set(name, loaded);
    return loaded;
  }
}
