/** What a unit of each currency is worth in dollars when nothing else is said: a setting of the organization. */
import { type Id, type Nanos, nanos } from '@keyfold/protocol';
import type { Selectable } from 'kysely';
import { Fault } from '../../kernel/fault.ts';
import type { RowMac } from '../../sealing/row-mac.ts';
import type { Database } from '../../storage/database.ts';
import type { Schema } from '../../storage/schema.ts';
import type { SqlStep } from '../../storage/statement.ts';

export interface CurrencyRate {
  readonly organizationId: Id<'organization'>;
  readonly currency: string;
  readonly usdPerUnit: Nanos;
  /** Where the rate is from. */
  readonly source: string;
  readonly updatedAtMs: number;
}

export class RateStore {
  readonly #database: Database;
  readonly #mac: RowMac;

  constructor(parts: { readonly database: Database; readonly mac: RowMac }) {
    this.#database = parts.database;
    this.#mac = parts.mac;
  }

  async list(organizationId: Id<'organization'>): Promise<CurrencyRate[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom('currency_rates')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .orderBy('currency'),
    );
    return rows.map((row) => this.#fromRow(row));
  }

  async find(organizationId: Id<'organization'>, currency: string): Promise<CurrencyRate | undefined> {
    const [row] = await this.#database.read((db) =>
      db
        .selectFrom('currency_rates')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .where('currency', '=', currency),
    );
    return row === undefined ? undefined : this.#fromRow(row);
  }

  #fromRow(row: Selectable<Schema['currency_rates']>): CurrencyRate {
    const rate: CurrencyRate = {
      organizationId: row.organization_id as Id<'organization'>,
      currency: row.currency,
      usdPerUnit: nanos(row.usd_per_unit_nanos),
      source: row.source,
      updatedAtMs: Number(row.updated_at),
    };
    if (this.#mac.holds('currency_rates', { fields: macFields(rate), mac: row.mac })) return rate;
    throw new Fault('unavailable', { internal: `the rate of ${row.currency} was edited outside Keyfold` });
  }

  setStep(rate: CurrencyRate): SqlStep {
    const set = {
      usd_per_unit_nanos: rate.usdPerUnit,
      source: rate.source,
      updated_at: rate.updatedAtMs,
      mac: this.#mac.sign('currency_rates', macFields(rate)),
    };
    return this.#database.step((db) =>
      db
        .insertInto('currency_rates')
        .values({ organization_id: rate.organizationId, currency: rate.currency, ...set })
        .onConflict((conflict) => conflict.columns(['organization_id', 'currency']).doUpdateSet(set)),
    );
  }

  /** Refused where there is none. */
  removeStep({ organizationId, currency }: Pick<CurrencyRate, 'organizationId' | 'currency'>): SqlStep {
    return this.#database.step(
      (db) =>
        db
          .deleteFrom('currency_rates')
          .where('organization_id', '=', organizationId)
          .where('currency', '=', currency),
      'changes-row',
    );
  }
}

function macFields(rate: CurrencyRate): (string | number | Nanos)[] {
  return [rate.organizationId, rate.currency, rate.usdPerUnit, rate.source, rate.updatedAtMs];
}
