/** Resolutions that could not be written yet: kept and tried again, so that a database outage loses no settlement. */
import type { Ledger } from './ledger.ts';
import type { Reservation, Resolution } from './reservation.ts';

/** Beyond it a resolution is left to recovery, which charges the reservation at its estimate. */
const PENDING_MAX = 50_000;

interface Pending {
  readonly reservation: Reservation;
  readonly resolution: Resolution;
}

export class PendingResolutions {
  readonly #ledger: Ledger;
  readonly #pending = new Map<string, Pending>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  get size(): number {
    return this.#pending.size;
  }

  /** Resolves now, or later when storage is back. Returns false when the reservation had been resolved before. Throws what went wrong. */
  async resolve(reservation: Reservation, resolution: Resolution): Promise<boolean> {
    try {
      return await this.#ledger.resolve(reservation, resolution);
    } catch (error) {
      if (this.#pending.size < PENDING_MAX) this.#pending.set(reservation.id, { reservation, resolution });
      throw error;
    }
  }

  /** Tries everything that waits, once. Throws at the first that fails again: the rest goes on waiting. */
  async retry(): Promise<void> {
    for (const [id, { reservation, resolution }] of this.#pending) {
      await this.#ledger.resolve(reservation, resolution);
      this.#pending.delete(id);
    }
  }
}
