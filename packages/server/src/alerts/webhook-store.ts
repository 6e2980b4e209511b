/**
 * The webhooks' SQL and seals. A secret is bound to its row and its URL, and the row carries a MAC: a webhook that was turned
 * elsewhere in the database does not open.
 */
import type { Id } from '@keyfold/protocol';
import type { Insertable, Selectable } from 'kysely';
import { Fault } from '../kernel/fault.ts';
import type { RowMac } from '../sealing/row-mac.ts';
import type { Sealer } from '../sealing/sealer.ts';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import type { SqlStep } from '../storage/statement.ts';

export const WEBHOOKS_MAX = 20;
/** How long the secret before the last rotation signs, too. */
export const PREVIOUS_SECRET_MS = 86_400_000;

export interface Webhook {
  readonly id: Id<'webhook'>;
  readonly organizationId: Id<'organization'>;
  readonly name: string;
  readonly url: string;
  readonly disabledAtMs: number | undefined;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
}

/** A webhook with its secrets still sealed. */
export interface SealedWebhook extends Webhook {
  readonly sealed: string;
  readonly previous: { readonly sealed: string; readonly untilMs: number } | undefined;
}

/** The keys that sign, and until when the second does. */
export interface WebhookSecrets {
  readonly current: Buffer;
  readonly previous?: { readonly key: Buffer; readonly untilMs: number } | undefined;
}

export class WebhookStore {
  readonly #database: Database;
  readonly #sealer: Sealer;
  readonly #mac: RowMac;

  constructor(parts: { database: Database; sealer: Sealer; mac: RowMac }) {
    this.#database = parts.database;
    this.#sealer = parts.sealer;
    this.#mac = parts.mac;
  }

  /** All of the organization, oldest first. Throws when one was edited outside Keyfold. */
  async list(organizationId: string): Promise<SealedWebhook[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom('webhooks').selectAll().where('organization_id', '=', organizationId).orderBy('id'),
    );
    return rows.map((row) => this.#fromRow(row));
  }

  /** Those that take deliveries. Of one that was edited `onEdited` hears, and it gets nothing. */
  async listEnabled(organizationId: string, onEdited: (error: unknown) => void): Promise<SealedWebhook[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom('webhooks')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .where('disabled_at', 'is', null)
        .orderBy('id'),
    );
    return rows.flatMap((row) => {
      try {
        return [this.#fromRow(row)];
      } catch (error) {
        onEdited(error);
        return [];
      }
    });
  }

  async find(id: string): Promise<SealedWebhook | undefined> {
    const rows = await this.#database.read((db) =>
      db.selectFrom('webhooks').selectAll().where('id', '=', id),
    );
    return rows[0] === undefined ? undefined : this.#fromRow(rows[0]);
  }

  /** The keys that sign now. The caller clears them. */
  open(webhook: SealedWebhook, nowMs: number): Buffer[] {
    const { previous } = webhook;
    const keys = [this.#sealer.open(webhook.sealed, contextOf(webhook))];
    if (previous !== undefined && previous.untilMs > nowMs)
      keys.push(this.#sealer.open(previous.sealed, contextOf(webhook, previous.untilMs)));
    return keys;
  }

  /** Refused when the organization has a webhook of that name. */
  insertStep(webhook: Webhook, secrets: WebhookSecrets): SqlStep {
    const row = this.#toRow(webhook, secrets);
    return this.#database.step(
      (db) =>
        db
          .insertInto('webhooks')
          .values(row)
          .onConflict((conflict) => conflict.columns(['organization_id', 'name']).doNothing()),
      'changes-row',
    );
  }

  /** Sealed anew. Refused when it was changed since it was read. */
  replaceStep(webhook: Webhook, of: { readonly secrets: WebhookSecrets; readonly before: Webhook }): SqlStep {
    const row = this.#toRow(webhook, of.secrets);
    return this.#database.step(
      (db) =>
        db
          .updateTable('webhooks')
          .set(row)
          .where('id', '=', webhook.id)
          .where('updated_at', '=', BigInt(of.before.updatedAtMs)),
      'changes-row',
    );
  }

  /** Does nothing to one that was changed since it was read: what it says now was somebody's wish. */
  disableStep(webhook: SealedWebhook, nowMs: number): SqlStep {
    const row = {
      id: webhook.id,
      organization_id: webhook.organizationId,
      name: webhook.name,
      url: webhook.url,
      disabled_at: nowMs,
      updated_at: Math.max(nowMs, webhook.updatedAtMs + 1),
    };
    return this.#database.step((db) =>
      db
        .updateTable('webhooks')
        .set({ ...row, mac: this.#mac.sign('webhooks', macFields(row)) })
        .where('id', '=', webhook.id)
        .where('updated_at', '=', BigInt(webhook.updatedAtMs)),
    );
  }

  removeStep(id: Id<'webhook'>): SqlStep {
    return this.#database.step((db) => db.deleteFrom('webhooks').where('id', '=', id), 'changes-row');
  }

  #toRow(webhook: Webhook, { current, previous }: WebhookSecrets): Insertable<Schema['webhooks']> {
    const row = {
      id: webhook.id,
      organization_id: webhook.organizationId,
      name: webhook.name,
      url: webhook.url,
      sealed: this.#sealer.seal(current, contextOf(webhook)),
      previous_sealed:
        previous === undefined ? null : this.#sealer.seal(previous.key, contextOf(webhook, previous.untilMs)),
      previous_until: previous?.untilMs ?? null,
      disabled_at: webhook.disabledAtMs ?? null,
      created_at: webhook.createdAtMs,
      updated_at: webhook.updatedAtMs,
    };
    return { ...row, mac: this.#mac.sign('webhooks', macFields(row)) };
  }

  #fromRow(row: Selectable<Schema['webhooks']>): SealedWebhook {
    if (!this.#mac.holds('webhooks', { fields: macFields(row), mac: row.mac })) {
      throw new Fault('unavailable', { internal: `the row of webhook ${row.id} was edited outside Keyfold` });
    }
    const { previous_sealed: previous, previous_until: until } = row;
    return {
      id: row.id as Id<'webhook'>,
      organizationId: row.organization_id as Id<'organization'>,
      name: row.name,
      url: row.url,
      sealed: row.sealed,
      previous:
        previous === null || until === null ? undefined : { sealed: previous, untilMs: Number(until) },
      disabledAtMs: row.disabled_at === null ? undefined : Number(row.disabled_at),
      createdAtMs: Number(row.created_at),
      updatedAtMs: Number(row.updated_at),
    };
  }
}

/** What sealed secrets are bound to: organization, webhook and where it leads. */
function contextOf({ organizationId, id, url }: Webhook, previousUntilMs?: number): readonly string[] {
  const context = ['webhook', organizationId, id, url];
  return previousUntilMs === undefined ? context : [...context, 'previous', String(previousUntilMs)];
}

function macFields(
  row: Pick<
    Insertable<Schema['webhooks']>,
    'id' | 'organization_id' | 'name' | 'url' | 'disabled_at' | 'updated_at'
  >,
) {
  return [row.id, row.organization_id, row.name, row.url, row.disabled_at ?? null, row.updated_at];
}
