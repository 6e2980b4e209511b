/** The SQL of deliveries: written with what they tell, leased while they are sent, and kept for a while. */
import type { Selectable } from 'kysely';
import type { Database, Outcome } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import type { SqlStep, Step } from '../storage/statement.ts';

/** Longer than one try can take: beyond it its process is taken for dead, and another tries. */
export const LEASE_MS = 60_000;

export type DeliveryState = 'pending' | 'delivered' | 'failed';

export interface Delivery {
  /** The `webhook-id` of every try. */
  readonly id: string;
  readonly organizationId: string;
  readonly webhookId: string;
  readonly firingId: string;
  /** JSON. */
  readonly body: string;
  readonly state: DeliveryState;
  /** Tries that were begun. */
  readonly attempts: number;
  readonly nextAtMs: number;
  readonly lastStatus: number | undefined;
  readonly lastError: string | undefined;
  readonly createdAtMs: number;
  readonly endedAtMs: number | undefined;
}

/** How a try has ended. */
export interface Tried {
  readonly state: DeliveryState;
  /** Of a pending one. */
  readonly nextAtMs: number;
  readonly status: number | undefined;
  readonly error: string | undefined;
  readonly nowMs: number;
}

export class DeliveryStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  insertStep(
    of: Pick<Delivery, 'id' | 'organizationId' | 'webhookId' | 'firingId' | 'body'>,
    nowMs: number,
  ): SqlStep {
    return this.#database.step((db) =>
      db.insertInto('webhook_deliveries').values({
        id: of.id,
        organization_id: of.organizationId,
        webhook_id: of.webhookId,
        firing_id: of.firingId,
        body: of.body,
        state: 'pending',
        attempts: 0,
        next_at: nowMs,
        leased_until: 0,
        last_status: null,
        last_error: null,
        created_at: nowMs,
        ended_at: null,
      }),
    );
  }

  /** The oldest that is due of each webhook that is not `busy`; so one that is slow keeps nobody else waiting. */
  async listDue(
    nowMs: number,
    of: {
      readonly busy: readonly string[];
      readonly busyOrganizations: readonly string[];
      readonly limit: number;
    },
  ): Promise<Delivery[]> {
    // Where nothing was ever told, a look is enough: no connection for reports is opened for it.
    const any = await this.#database.read((db) => db.selectFrom('webhook_deliveries').select('id').limit(1));
    if (any.length === 0) return [];
    const rows = await this.#database.read(
      (db) =>
        db
          .selectFrom('webhook_deliveries')
          .selectAll()
          .where('id', 'in', (eb) =>
            eb
              .selectFrom('webhook_deliveries')
              .select((inner) => inner.fn.min('id').as('id'))
              .where('state', '=', 'pending')
              .where('next_at', '<=', BigInt(nowMs))
              .where('leased_until', '<=', BigInt(nowMs))
              .$if(of.busy.length > 0, (query) => query.where('webhook_id', 'not in', [...of.busy]))
              .$if(of.busyOrganizations.length > 0, (query) =>
                query.where('organization_id', 'not in', [...new Set(of.busyOrganizations)]),
              )
              .groupBy('webhook_id'),
          )
          .orderBy('next_at')
          .limit(of.limit),
      'report',
    );
    return rows.map((row) => fromRow(row));
  }

  /** Takes it for one try; false when another process has it, or it is over. */
  async lease({ id, attempts }: Delivery, nowMs: number): Promise<boolean> {
    const step = this.#database.step(
      (db) =>
        db
          .updateTable('webhook_deliveries')
          .set({ leased_until: nowMs + LEASE_MS, attempts: BigInt(attempts) + 1n })
          .where('id', '=', id)
          .where('state', '=', 'pending')
          .where('attempts', '=', BigInt(attempts))
          .where('leased_until', '<=', BigInt(nowMs)),
      'changes-row',
    );
    return (await this.#database.commit({ steps: [step] })).committed;
  }

  /** Writes down how a leased try has ended, with what goes with it. */
  end({ id, attempts }: Delivery, tried: Tried, others: readonly Step[] = []): Promise<Outcome> {
    const step = this.#database.step((db) =>
      db
        .updateTable('webhook_deliveries')
        .set({
          state: tried.state,
          next_at: tried.nextAtMs,
          leased_until: 0,
          last_status: tried.status ?? null,
          last_error: tried.error ?? null,
          ended_at: tried.state === 'pending' ? null : tried.nowMs,
        })
        .where('id', '=', id)
        .where('attempts', '=', BigInt(attempts) + 1n),
    );
    return this.#database.commit({ steps: [step, ...others] });
  }

  /** What still waits for a webhook that is no more, or that wants nothing more, has failed. */
  giveUpStep(webhookId: string, of: { readonly error: string; readonly nowMs: number }): SqlStep {
    return this.#database.step((db) =>
      db
        .updateTable('webhook_deliveries')
        .set({ state: 'failed', last_error: of.error, ended_at: of.nowMs })
        .where('webhook_id', '=', webhookId)
        .where('state', '=', 'pending'),
    );
  }

  /** Newest first; one more than `limit` when there are more. */
  async list(filter: {
    readonly organizationId: string;
    readonly webhookId?: string | undefined;
    readonly state?: DeliveryState | undefined;
    readonly after?: string | undefined;
    readonly before?: string | undefined;
    readonly limit: number;
  }): Promise<Delivery[]> {
    const rows = await this.#database.read((db) => {
      let query = db
        .selectFrom('webhook_deliveries')
        .selectAll()
        .where('organization_id', '=', filter.organizationId)
        .orderBy('id', filter.before === undefined ? 'desc' : 'asc')
        .limit(filter.limit + 1);
      if (filter.webhookId !== undefined) query = query.where('webhook_id', '=', filter.webhookId);
      if (filter.state !== undefined) query = query.where('state', '=', filter.state);
      if (filter.after !== undefined) query = query.where('id', '<', filter.after);
      if (filter.before !== undefined) query = query.where('id', '>', filter.before);
      return query;
    });
    return rows.map((row) => fromRow(row));
  }

  removeSteps(beforeMs: number): SqlStep[] {
    return [
      this.#database.step((db) =>
        db.deleteFrom('webhook_deliveries').where('created_at', '<', BigInt(beforeMs)),
      ),
    ];
  }
}

function fromRow(row: Selectable<Schema['webhook_deliveries']>): Delivery {
  return {
    id: row.id,
    organizationId: row.organization_id,
    webhookId: row.webhook_id,
    firingId: row.firing_id,
    body: row.body,
    state: row.state as DeliveryState,
    attempts: Number(row.attempts),
    nextAtMs: Number(row.next_at),
    lastStatus: row.last_status === null ? undefined : Number(row.last_status),
    lastError: row.last_error ?? undefined,
    createdAtMs: Number(row.created_at),
    endedAtMs: row.ended_at === null ? undefined : Number(row.ended_at),
  };
}
