/** Prices that operators set: their SQL, and the catalog in force, built from the shipped file and these. */
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../storage/database.ts';
import type { SqlStep } from '../storage/statement.ts';
import { Catalog } from './catalog.ts';
import { loadShippedPrices } from './catalog-file.ts';
import type { ModelPrice } from './model-price.ts';
import { parseStoredPrice, renderStoredPrice } from './stored-price.ts';

/** How long a price that another process set may go unseen here. */
const RELOAD_MS = 1_000;

export class PriceStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #shipped = loadShippedPrices();
  #catalog: Catalog;
  #loadedAtMs = -Infinity;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#catalog = new Catalog({ shipped: this.#shipped });
  }

  async catalog(): Promise<Catalog> {
    if (this.#clock.monotonicMs() - this.#loadedAtMs < RELOAD_MS) return this.#catalog;
    const rows = await this.#database.read((db) =>
      db.selectFrom('prices').selectAll().orderBy('created_at').orderBy('effective_from'),
    );
    const overrides = rows.map((row) => parseStoredPrice(row.price));
    this.#catalog = new Catalog({ shipped: this.#shipped, overrides });
    this.#loadedAtMs = this.#clock.monotonicMs();
    return this.#catalog;
  }

  /** Forgets what is cached: called after each change that this process makes. */
  forget(): void {
    this.#loadedAtMs = -Infinity;
  }

  /** Adds a version of a price; one with the same beginning is replaced. */
  setStep(price: ModelPrice): SqlStep {
    const text = renderStoredPrice(price);
    const createdAtMs = this.#clock.nowMs();
    return this.#database.step((db) =>
      db
        .insertInto('prices')
        .values({
          provider: price.provider,
          model: price.model,
          effective_from: price.effectiveFromMs,
          price: text,
          created_at: createdAtMs,
        })
        .onConflict((conflict) =>
          conflict
            .columns(['provider', 'model', 'effective_from'])
            .doUpdateSet({ price: text, created_at: createdAtMs }),
        ),
    );
  }
}
