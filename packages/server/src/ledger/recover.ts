/** Resolves what dead processes left: their calls may have been sent, so each is charged at its estimate and flagged. */
import { setTimeout } from 'node:timers/promises';
import { type Id, nanos } from '@keyfold/protocol';
import type { Selectable } from 'kysely';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import type { Ledger } from './ledger.ts';
import type { Reservation } from './reservation.ts';
import { parseStoredCall } from './stored-call.ts';

/** Reservations read at once. */
const PAGE = 500;
/** A process that has lost its connection has so long to come back before it counts as dead. */
const GRACE_MS = 30_000;
/** Two looks this far apart tell a process that is gone from one that is reconnecting. */
const LOOK_AGAIN_AFTER_MS = 1_000;

export interface Recovered {
  readonly expired: number;
  /** Reservations that could not be resolved now; a later turn tries them again. */
  readonly failed: number;
}

/** One a process: it remembers since when each process that left reservations has been gone. */
export class Recovery {
  readonly #database: Database;
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #graceMs: number;
  readonly #lookAgainAfterMs: number;
  #goneSinceMs: ReadonlyMap<string, number> = new Map();

  constructor(
    parts: { readonly database: Database; readonly ledger: Ledger; readonly clock: Clock },
    { graceMs = GRACE_MS, lookAgainAfterMs = LOOK_AGAIN_AFTER_MS } = {},
  ) {
    this.#database = parts.database;
    this.#ledger = parts.ledger;
    this.#clock = parts.clock;
    this.#graceMs = graceMs;
    this.#lookAgainAfterMs = lookAgainAfterMs;
  }

  /** As `recover`, and at once when no other process has the database open: none that could come back. */
  async recoverAtStart(): Promise<Recovered> {
    const isAlone = (await this.#isAlone()) && (await this.#isStillAlone());
    return this.#recover(isAlone ? 0 : this.#graceMs);
  }

  /**
   * Expires the reservations of every process that was gone at each look for as long as the grace. Safe to run at any time
   * and in every process at once: a reservation is resolved once, whoever comes first.
   */
  recover(): Promise<Recovered> {
    return this.#recover(this.#graceMs);
  }

  async #isAlone(): Promise<boolean> {
    const living = await this.#database.livingBoots();
    return [...living].every((boot) => boot === this.#database.boot);
  }

  /** A process that lost its connection a moment ago is back by then. An embedded database has no other process. */
  async #isStillAlone(): Promise<boolean> {
    if (this.#database.dialect === 'sqlite' || (await this.#bootsWithReservations()).length === 0)
      return true;
    await setTimeout(this.#lookAgainAfterMs);
    return this.#isAlone();
  }

  async #recover(graceMs: number): Promise<Recovered> {
    const boots = await this.#bootsWithReservations();
    const living = await this.#database.livingBoots();
    const nowMs = this.#clock.monotonicMs();
    const gone = boots.filter((boot) => !living.has(boot));
    this.#goneSinceMs = new Map(gone.map((boot) => [boot, this.#goneSinceMs.get(boot) ?? nowMs]));
    const total = { expired: 0, failed: 0 };
    for (const [boot, sinceMs] of this.#goneSinceMs) {
      if (nowMs - sinceMs < graceMs) continue;
      const { expired, failed } = await this.#expireBoot(boot);
      total.expired += expired;
      total.failed += failed;
    }
    return total;
  }

  async #bootsWithReservations(): Promise<string[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom('reservations').select('boot').distinct().where('boot', '!=', this.#database.boot),
    );
    return rows.map(({ boot }) => boot);
  }

  /** Goes on past a row that fails, and gives up when a whole page does. */
  async #expireBoot(boot: string): Promise<Recovered> {
    let [expired, failed, last] = [0, 0, ''];
    for (;;) {
      const rows = await this.#database.read((db) =>
        db
          .selectFrom('reservations')
          .selectAll()
          .where('boot', '=', boot)
          .where('id', '>', last)
          .orderBy('id')
          .limit(PAGE),
      );
      const results = await Promise.allSettled(rows.map((row) => expire(this.#ledger, row)));
      const failures = results.filter(({ status }) => status === 'rejected').length;
      expired += results.filter((result) => result.status === 'fulfilled' && result.value).length;
      failed += failures;
      if (rows.length < PAGE || failures === rows.length) return { expired, failed };
      last = rows.at(-1)?.id ?? last;
    }
  }
}

async function expire(ledger: Ledger, row: Selectable<Schema['reservations']>): Promise<boolean> {
  const held = nanos(row.held_nanos);
  const reservation: Reservation = {
    id: row.id as Id<'reservation'>,
    held,
    ...parseStoredCall(row.call, held),
    reservedAtMs: Number(row.reserved_at),
  };
  return ledger.expire(reservation);
}
