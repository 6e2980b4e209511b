/** The routes' SQL. A route carries a MAC: one that was edited behind Keyfold's back denies every call that asks for a route. */
import type { Id } from '@keyfold/protocol';
import type { Selectable } from 'kysely';
import type { Clock } from '../kernel/clock.ts';
import { ExpiringCache } from '../kernel/expiring-cache.ts';
import { Fault } from '../kernel/fault.ts';
import type { RowMac } from '../sealing/row-mac.ts';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import type { SqlStep } from '../storage/statement.ts';
import type { Route } from './route.ts';

const CACHE = { entriesMax: 1_000, ttlMs: 60_000 };

export class RouteStore {
  readonly #database: Database;
  readonly #mac: RowMac;
  readonly #byOrganization: ExpiringCache<readonly Route[]>;

  constructor(parts: { readonly database: Database; readonly mac: RowMac; readonly clock: Clock }) {
    this.#database = parts.database;
    this.#mac = parts.mac;
    this.#byOrganization = new ExpiringCache(CACHE, parts.clock);
  }

  /** Every route of the organization, oldest first, as of a revision of it or later. */
  async forOrganization(organizationId: Id<'organization'>, revision: number): Promise<readonly Route[]> {
    const name = `${organizationId} ${revision}`;
    const cached = this.#byOrganization.get(name);
    if (cached !== undefined) return cached;
    const rows = await this.#database.read((db) =>
      db.selectFrom('routes').selectAll().where('organization_id', '=', organizationId).orderBy('id'),
    );
    const routes = rows.map((row) => this.#fromRow(row));
    this.#byOrganization.set(name, routes);
    return routes;
  }

  /** Refused when the organization has a route of that name. */
  insertStep(route: Route): SqlStep {
    const row = this.#toRow(route);
    return this.#database.step(
      (db) =>
        db
          .insertInto('routes')
          .values(row)
          .onConflict((conflict) => conflict.columns(['organization_id', 'name']).doNothing()),
      'changes-row',
    );
  }

  /** Refused when it is no more, was changed since `previousUpdatedAtMs`, or another has taken its name. */
  replaceStep(route: Route, previousUpdatedAtMs: number): SqlStep {
    const row = this.#toRow(route);
    return this.#database.step(
      (db) =>
        db
          .updateTable('routes')
          .set(row)
          .where('id', '=', route.id)
          .where('updated_at', '=', BigInt(previousUpdatedAtMs))
          .where((eb) =>
            eb.not(
              eb.exists(
                eb
                  .selectFrom('routes as other')
                  .select('other.id')
                  .where('other.organization_id', '=', route.organizationId)
                  .where('other.name', '=', route.name)
                  .where('other.id', '!=', route.id),
              ),
            ),
          ),
      'changes-row',
    );
  }

  removeStep(id: Id<'route'>): SqlStep {
    return this.#database.step((db) => db.deleteFrom('routes').where('id', '=', id), 'changes-row');
  }

  #toRow(route: Route) {
    const row = {
      id: route.id,
      organization_id: route.organizationId,
      name: route.name,
      targets: JSON.stringify(route.targets),
      retry: JSON.stringify(route.retry),
      created_at: route.createdAtMs,
      updated_at: route.updatedAtMs,
    };
    return { ...row, mac: this.#mac.sign('routes', macFields(row)) };
  }

  #fromRow(row: Selectable<Schema['routes']>): Route {
    if (!this.#mac.holds('routes', { fields: macFields(row), mac: row.mac })) {
      throw new Fault('unavailable', { internal: `the row of route ${row.id} was edited outside Keyfold` });
    }
    return {
      id: row.id as Id<'route'>,
      organizationId: row.organization_id as Id<'organization'>,
      name: row.name,
      // Written by `#toRow` alone: what JSON leaves out is `undefined` again.
      targets: JSON.parse(row.targets) as Route['targets'],
      retry: JSON.parse(row.retry) as Route['retry'],
      createdAtMs: Number(row.created_at),
      updatedAtMs: Number(row.updated_at),
    };
  }
}

function macFields(
  row: Pick<Selectable<Schema['routes']>, 'id' | 'organization_id' | 'name' | 'targets' | 'retry'>,
): readonly string[] {
  return [row.id, row.organization_id, row.name, row.targets, row.retry];
}
