/** Prices that an organization's operators set: their SQL, and the catalog in force, built from the shipped file and these. */
import type { Id } from '@keyfold/protocol';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../storage/database.ts';
import type { SqlStep } from '../storage/statement.ts';
import { Catalog } from './catalog.ts';
import { loadShippedPrices } from './catalog-file.ts';
import type { ModelPrice } from './model-price.ts';
import { parseStoredPrice, renderStoredPrice } from './stored-price.ts';

interface Loaded {
  /** The organization's revision: every change of a price raises it. */
  readonly revision: number;
  readonly catalog: Promise<Catalog>;
}

export class PriceStore {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #shipped = loadShippedPrices();
  /** The newest of each organization. */
  readonly #loaded = new Map<string, Loaded>();

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  /** The catalog as of a revision of the organization or later. Those who ask at once wait for one look at the database. */
  catalog(organizationId: Id<'organization'>, revision: number): Promise<Catalog> {
    const loaded = this.#loaded.get(organizationId);
    if (loaded?.revision === revision) return loaded.catalog;
    const catalog = this.#load(organizationId);
    const fresh = { revision, catalog };
    this.#loaded.set(organizationId, fresh);
    catalog.catch(() => {
      if (this.#loaded.get(organizationId) === fresh) this.#loaded.delete(organizationId);
    });
    return catalog;
  }

  /** Adds a version of a price; one with the same beginning is replaced. */
  setStep(organizationId: Id<'organization'>, price: ModelPrice): SqlStep {
    const text = renderStoredPrice(price);
    const createdAtMs = this.#clock.nowMs();
    return this.#database.step((db) =>
      db
        .insertInto('prices')
        .values({
          organization_id: organizationId,
          provider: price.provider,
          model: price.model,
          effective_from: price.effectiveFromMs,
          price: text,
          created_at: createdAtMs,
        })
        .onConflict((conflict) =>
          conflict
            .columns(['organization_id', 'provider', 'model', 'effective_from'])
            .doUpdateSet({ price: text, created_at: createdAtMs }),
        ),
    );
  }

  async #load(organizationId: Id<'organization'>): Promise<Catalog> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom('prices')
        .select('price')
        .where('organization_id', '=', organizationId)
        .orderBy('created_at')
        .orderBy('effective_from'),
    );
    return new Catalog({ shipped: this.#shipped, overrides: rows.map((row) => parseStoredPrice(row.price)) });
  }
}
