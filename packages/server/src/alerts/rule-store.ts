/** The rules' SQL. A rule carries a MAC: one that was edited behind Keyfold's back is not followed, and is reported. */
import { isDeepStrictEqual } from 'node:util';
import { type Id, nanos } from '@keyfold/protocol';
import type { Insertable, Selectable } from 'kysely';
import type { Clock } from '../kernel/clock.ts';
import { Fault } from '../kernel/fault.ts';
import type { RowMac } from '../sealing/row-mac.ts';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import type { SqlStep } from '../storage/statement.ts';
import { type Condition, type Rule, type RuleAction, type RuleScope } from './rule.ts';

/** How long the rules that are followed may be older than the table. A change is seen in the audit log before that. */
const RULES_AGE_MAX_MS = 5_000;
/** Rules of an installation; beyond it none is followed, and that is reported. */
const RULES_ALL_MAX = 20_000;

type Row = Selectable<Schema['alert_rules']>;
type NewRow = Omit<Insertable<Schema['alert_rules']>, 'mac'>;

export class RuleStore {
  readonly #database: Database;
  readonly #mac: RowMac;
  readonly #clock: Clock;
  readonly #listeners = new Set<() => void>();
  #followed: readonly Rule[] = [];
  #readAtMs = -Infinity;
  #changes = 0;

  constructor(parts: { database: Database; mac: RowMac; clock: Clock }) {
    this.#database = parts.database;
    this.#mac = parts.mac;
    this.#clock = parts.clock;
  }

  /** The rules of an organization, oldest first. Throws when one was edited outside Keyfold. */
  async list(organizationId: Id<'organization'>): Promise<Rule[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom('alert_rules').selectAll().where('organization_id', '=', organizationId).orderBy('id'),
    );
    return rows.map((row) => this.#fromRow(row) ?? refuseEdited(row));
  }

  /** The rule as it is now; `undefined` when it is no more, or was edited outside Keyfold. */
  async find(id: string): Promise<Rule | undefined> {
    const rows = await this.#database.read((db) =>
      db.selectFrom('alert_rules').selectAll().where('id', '=', id),
    );
    return rows[0] === undefined ? undefined : this.#fromRow(rows[0]);
  }

  /**
   * The rules that are on, of all organizations: the same list for as long as they are the same. Of one that was edited
   * outside Keyfold `onEdited` hears; the others are followed.
   */
  async followed(onEdited: (error: Error) => void): Promise<readonly Rule[]> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#readAtMs >= RULES_AGE_MAX_MS) {
      const changes = this.#changes;
      const rules = await this.#readFollowed(onEdited);
      if (!isDeepStrictEqual(rules, this.#followed)) this.#followed = rules;
      // What has changed while it was read is read again.
      if (changes === this.#changes) this.#readAtMs = nowMs;
    }
    return this.#followed;
  }

  /** There is no rule in the table, whether it is on or not. */
  async isEmpty(): Promise<boolean> {
    const rows = await this.#database.read((db) => db.selectFrom('alert_rules').select('id').limit(1));
    return rows.length === 0;
  }

  /** They have changed: the next look reads them anew, and whoever follows them is told. */
  forget(): void {
    this.expire();
    for (const listener of this.#listeners) listener();
  }

  /** Another process has changed them: the next look reads them anew. */
  expire(): void {
    this.#changes++;
    this.#readAtMs = -Infinity;
  }

  /** Called whenever this process has changed a rule, for as long as `signal` allows. */
  onForgotten(listener: () => void, signal?: AbortSignal): void {
    this.#listeners.add(listener);
    signal?.addEventListener('abort', () => this.#listeners.delete(listener), { once: true });
  }

  /** Refused when the organization has a rule of that name. */
  insertStep(rule: Rule): SqlStep {
    const row = this.#toRow(rule);
    return this.#database.step(
      (db) =>
        db
          .insertInto('alert_rules')
          .values(row)
          .onConflict((conflict) => conflict.columns(['organization_id', 'name']).doNothing()),
      'changes-row',
    );
  }

  /** Refused when it is no more, was changed since `previousUpdatedAtMs`, or another has taken its name. */
  replaceStep(rule: Rule, previousUpdatedAtMs: number): SqlStep {
    const row = this.#toRow(rule);
    return this.#database.step(
      (db) =>
        db
          .updateTable('alert_rules')
          .set(row)
          .where('id', '=', rule.id)
          .where('updated_at', '=', BigInt(previousUpdatedAtMs))
          .where((eb) =>
            eb.not(
              eb.exists(
                eb
                  .selectFrom('alert_rules as other')
                  .select('other.id')
                  .where('other.organization_id', '=', rule.organizationId)
                  .where('other.name', '=', rule.name)
                  .where('other.id', '!=', rule.id),
              ),
            ),
          ),
      'changes-row',
    );
  }

  /** Also one that was edited: that is how to be rid of it. */
  removeStep(organizationId: Id<'organization'>, id: string): SqlStep {
    return this.#database.step(
      (db) => db.deleteFrom('alert_rules').where('id', '=', id).where('organization_id', '=', organizationId),
      'changes-row',
    );
  }

  #toRow(rule: Rule): Insertable<Schema['alert_rules']> {
    const row: NewRow = {
      id: rule.id,
      organization_id: rule.organizationId,
      name: rule.name,
      scope: rule.scope,
      scope_ids: JSON.stringify(rule.scopeIds),
      condition: JSON.stringify(rule.when, (_name, value: unknown) =>
        typeof value === 'bigint' ? String(value) : value,
      ),
      webhook_ids: JSON.stringify(rule.webhookIds),
      action: JSON.stringify(rule.action),
      cooldown_s: rule.cooldownS,
      enabled: rule.isEnabled ? 1 : 0,
      created_at: rule.createdAtMs,
      updated_at: rule.updatedAtMs,
    };
    return { ...row, mac: this.#mac.sign('alert_rules', macFields(row)) };
  }

  async #readFollowed(onEdited: (error: Error) => void): Promise<Rule[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom('alert_rules')
        .selectAll()
        .orderBy('id')
        .limit(RULES_ALL_MAX + 1),
    );
    if (rows.length > RULES_ALL_MAX)
      throw new Fault('unavailable', { internal: `there are more than ${RULES_ALL_MAX} alert rules` });
    const rules: Rule[] = [];
    for (const row of rows) {
      const rule = this.#fromRow(row);
      if (rule === undefined)
        onEdited(new Error(`the row of alert rule ${row.id} was edited outside Keyfold`));
      else if (rule.isEnabled) rules.push(rule);
    }
    return rules;
  }

  #fromRow(row: Row): Rule | undefined {
    if (!this.#mac.holds('alert_rules', { fields: macFields(row), mac: row.mac })) return undefined;
    return {
      id: row.id as Id<'alertRule'>,
      organizationId: row.organization_id as Id<'organization'>,
      name: row.name,
      scope: row.scope as RuleScope,
      // Written by `#toRow` alone.
      scopeIds: JSON.parse(row.scope_ids) as string[],
      when: readCondition(row.condition),
      webhookIds: JSON.parse(row.webhook_ids) as string[],
      action: JSON.parse(row.action) as RuleAction,
      cooldownS: Number(row.cooldown_s),
      isEnabled: row.enabled === 1n,
      createdAtMs: Number(row.created_at),
      updatedAtMs: Number(row.updated_at),
    };
  }
}

const MONEY: readonly string[] = ['usd', 'minUsd'];

function readCondition(text: string): Condition {
  return JSON.parse(text, (name, value: unknown) =>
    MONEY.includes(name) && typeof value === 'string' ? nanos(BigInt(value)) : value,
  ) as Condition;
}

function macFields(row: NewRow | Row) {
  return [
    row.id,
    row.organization_id,
    row.name,
    row.scope,
    row.scope_ids,
    row.condition,
    row.webhook_ids,
    row.action,
    row.cooldown_s,
    row.enabled,
    row.updated_at,
  ];
}

function refuseEdited({ id }: Row): never {
  throw new Fault('unavailable', { internal: `the row of alert rule ${id} was edited outside Keyfold` });
}
