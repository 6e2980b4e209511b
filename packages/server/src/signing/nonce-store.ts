/** Nonces that signed requests have used up: kept in the database, so that neither a restart nor a second process forgets them. */
import { hash } from 'node:crypto';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../storage/database.ts';
import { CLAIMS_KEPT_MS, type ClaimStep } from '../storage/statement.ts';

/** What a verified request must use up before it takes effect: each step is refused when its value was used before. */
export type NonceClaim = readonly ClaimStep[];

const VALUE_BYTES = 12;

export class NonceStore {
  readonly #database: Database;
  readonly #clock: Clock;
  /** The newest claim at times past, by a clock that does not jump: how old claims are at least. */
  #marks: { readonly lastId: bigint; readonly atMs: number }[] = [];

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** `values` have the form of a nonce, or `mac:` and a MAC. */
  claim(keyId: string, values: readonly string[]): NonceClaim {
    return values.map((value) => ({ claim: digest(`${keyId} ${value}`) }));
  }

  /** Uses them up in a commit of their own. False when one was used before. */
  async use(claim: NonceClaim): Promise<boolean> {
    const { committed } = await this.#database.commit({ steps: claim });
    return committed;
  }

  /** Forgets those that this process has seen grow older than any request could be accepted. */
  async prune(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const old = this.#marks.findLast(({ atMs }) => nowMs - atMs > CLAIMS_KEPT_MS);
    if (old !== undefined) {
      this.#marks = this.#marks.filter(({ atMs }) => atMs > old.atMs);
      const step = this.#database.step((db) => db.deleteFrom('claims').where('id', '<=', old.lastId));
      await this.#database.commit({ steps: [step] }, 'soon');
    }
    const rows = await this.#database.read((db) =>
      db.selectFrom('claims').select('id').orderBy('id', 'desc').limit(1),
    );
    if (rows[0] !== undefined) this.#marks.push({ lastId: rows[0].id, atMs: nowMs });
  }
}

/** Ninety-six bits: two that are alike would only refuse a request, and that is not expected to happen once. */
function digest(text: string): string {
  return hash('sha256', text, 'buffer').subarray(0, VALUE_BYTES).toString('base64url');
}
