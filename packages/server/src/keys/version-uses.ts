/** Counts how often each version authenticates a request, so that it can be seen whether an old one is still in use. */
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../storage/database.ts';
import type { SqlStep } from '../storage/statement.ts';

/** Versions counted between two flushes; beyond it new ones go uncounted until the next. */
const VERSIONS_MAX = 50_000;
/** Versions in one unit of work. */
const FLUSHED_AT_ONCE = 200;
/** Versions of which it is remembered that this process has written a use of them. */
const SEEN_MAX = 100_000;

interface Use {
  count: number;
  lastMs: number;
}

export class VersionUses {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #uses = new Map<string, Use>();
  readonly #seen = new Set<string>();

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** The first use of a version that this process sees is written at once: whether one is in use decides what becomes of it. */
  count(versionId: string): void {
    const use = this.#uses.get(versionId);
    if (use !== undefined) {
      use.count++;
      use.lastMs = this.#clock.nowMs();
    } else if (this.#uses.size < VERSIONS_MAX) {
      this.#uses.set(versionId, { count: 1, lastMs: this.#clock.nowMs() });
    }
    if (this.#seen.has(versionId)) return;
    if (this.#seen.size >= SEEN_MAX) this.#seen.clear();
    this.#seen.add(versionId);
    // Should it fail, it is written with the next flush, which reports.
    this.flushOf([versionId]).catch(() => undefined);
  }

  /** Writes what was counted. What cannot be written is kept for the next flush. */
  async flush(): Promise<void> {
    // In one order for all processes, of which none then waits for another that waits for it.
    const ids = [...this.#uses.keys()].sort();
    for (let from = 0; from < ids.length; from += FLUSHED_AT_ONCE) {
      await this.flushOf(ids.slice(from, from + FLUSHED_AT_ONCE));
    }
  }

  /** Writes what was counted of these alone. */
  async flushOf(versionIds: readonly string[]): Promise<void> {
    const taken: [string, Use][] = [];
    for (const id of versionIds.toSorted()) {
      const use = this.#uses.get(id);
      if (use === undefined) continue;
      taken.push([id, use]);
      this.#uses.delete(id);
    }
    if (taken.length === 0) return;
    try {
      await this.#database.commit({ steps: taken.map(([id, use]) => this.#addStep(id, use)) });
    } catch (error) {
      for (const [id, use] of taken) this.#uses.set(id, merge(use, this.#uses.get(id)));
      throw error;
    }
  }

  #addStep(versionId: string, { count, lastMs }: Use): SqlStep {
    return this.#database.step((db) =>
      db
        .insertInto('version_uses')
        .values({ version_id: versionId, uses: count, last_used_at: lastMs })
        .onConflict((conflict) =>
          conflict.column('version_id').doUpdateSet((eb) => ({
            uses: eb('version_uses.uses', '+', eb.ref('excluded.uses')),
            last_used_at: eb.ref('excluded.last_used_at'),
          })),
        ),
    );
  }
}

function merge(older: Use, newer: Use | undefined): Use {
  return newer === undefined ? older : { count: older.count + newer.count, lastMs: newer.lastMs };
}
