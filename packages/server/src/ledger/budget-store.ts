/** The budgets' SQL. A budget row carries a MAC; one that was edited behind Keyfold's back denies every call under it. */
import { type Id, type Nanos, nanos } from '@keyfold/protocol';
import type { Selectable } from 'kysely';
import type { Clock } from '../kernel/clock.ts';
import { ExpiringCache } from '../kernel/expiring-cache.ts';
import { Fault } from '../kernel/fault.ts';
import type { RowMac } from '../sealing/row-mac.ts';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import type { SqlStep } from '../storage/statement.ts';
import { type Budget, type BudgetPeriod, type BudgetState, type Scope, capAt } from './budget.ts';
import { type Period, UTC, noticeStartMs, periodEndMs, periodStartMs, windowStartMs } from './period.ts';

const CACHE = { entriesMax: 10_000, ttlMs: 60_000 };

/** What a call's money is counted on. */
export interface ScopeIds {
  readonly keyId: string;
  /** A child's calls are on its parent's budgets, too. */
  readonly parentId: string | undefined;
  readonly projectId: string;
  readonly organizationId: string;
}

export class BudgetStore {
  readonly #database: Database;
  readonly #mac: RowMac;
  readonly #clock: Clock;
  readonly #byKey: ExpiringCache<readonly Budget[]>;

  constructor(parts: { database: Database; mac: RowMac; clock: Clock }) {
    this.#database = parts.database;
    this.#mac = parts.mac;
    this.#clock = parts.clock;
    this.#byKey = new ExpiringCache(CACHE, parts.clock);
  }

  /**
   * Every budget that a call of this key is under, as of a revision of its organization or later: a reservation decided
   * under an older one is refused, so what is cached under a revision can be old but never wrong.
   */
  async forCall(ids: ScopeIds, organizationRevision: number): Promise<readonly Budget[]> {
    const name = `${ids.keyId} ${organizationRevision}`;
    const cached = this.#byKey.get(name);
    if (cached !== undefined) return cached;
    const budgets = await this.load(idsOf(ids));
    this.#byKey.set(name, budgets);
    return budgets;
  }

  async load(scopeIds: readonly string[]): Promise<Budget[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom('budgets')
        .selectAll()
        .where('scope_id', 'in', [...scopeIds])
        .orderBy('id'),
    );
    return rows.map((row) => this.#fromRow(row));
  }

  async list(organizationId: Id<'organization'>): Promise<Budget[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom('budgets').selectAll().where('organization_id', '=', organizationId).orderBy('id'),
    );
    return rows.map((row) => this.#fromRow(row));
  }

  /** Budgets of all organizations whose owners want to be told before they are used up. `onEdited` hears of broken rows. */
  async listAlerting(onEdited: (error: unknown) => void): Promise<Budget[]> {
    const rows = await this.#database.read((db) =>
      db.selectFrom('budgets').selectAll().where('alert_percents', 'is not', null).orderBy('id'),
    );
    return rows.flatMap((row) => {
      try {
        return [this.#fromRow(row)];
      } catch (error) {
        // Calls under it are denied; the others' owners are told all the same.
        onEdited(error);
        return [];
      }
    });
  }

  /** Refused where it was told before, by this process or another. */
  markAlertedStep(budget: Budget, of: { readonly percent: number; readonly atMs: number }): SqlStep {
    const row = {
      budget_id: budget.id,
      period_start: noticeStartMs(budget, of.atMs),
      percent: of.percent,
      at: of.atMs,
    };
    return this.#database.step(
      (db) =>
        db
          .insertInto('budget_alerts')
          .values(row)
          .onConflict((conflict) => conflict.doNothing()),
      'changes-row',
    );
  }

  /** The state of each budget in the period that is now, or at a time. */
  async statesOf(budgets: readonly Budget[], nowMs = this.#clock.nowMs()): Promise<BudgetState[]> {
    const rolling = budgets.filter(({ period }) => period === 'rolling');
    const rows = await Promise.all([
      this.#balancesOf(
        budgets.filter(({ period }) => period !== 'rolling'),
        nowMs,
      ),
      this.#partsOf(rolling, nowMs),
    ]);
    const byBudget = Map.groupBy(rows.flat(), (row) => row.budget_id);
    return budgets.map((budget) => {
      const since = BigInt(windowStartMs(budget, nowMs) ?? periodStartMs(budget, nowMs));
      const counted = (byBudget.get(budget.id) ?? []).filter((row) =>
        budget.period === 'rolling' ? row.period_start >= since : row.period_start === since,
      );
      const posted = nanos(counted.reduce((sum, row) => sum + row.posted_nanos, 0n));
      const held = nanos(counted.reduce((sum, row) => sum + row.held_nanos, 0n));
      const remaining = nanos(capAt(budget, nowMs) - posted - held);
      return { budget, posted, held, remaining, resetsAtMs: periodEndMs(budget, nowMs) };
    });
  }

  async #balancesOf(budgets: readonly Budget[], nowMs: number): Promise<BalanceColumns[]> {
    if (budgets.length === 0) return [];
    const starts = [...new Set(budgets.map((budget) => periodStartMs(budget, nowMs)))];
    return this.#database.read((db) =>
      db
        .selectFrom('balances')
        .selectAll()
        .where(
          'budget_id',
          'in',
          budgets.map(({ id }) => id),
        )
        .where('period_start', 'in', starts.map(BigInt)),
    );
  }

  async #partsOf(budgets: readonly Budget[], nowMs: number): Promise<BalanceColumns[]> {
    const starts = budgets.flatMap((budget) => windowStartMs(budget, nowMs) ?? []);
    if (starts.length === 0) return [];
    return this.#database.read((db) =>
      db
        .selectFrom('balances')
        .selectAll()
        .where(
          'budget_id',
          'in',
          budgets.map(({ id }) => id),
        )
        .where('period_start', '>=', BigInt(Math.min(...starts))),
    );
  }

  /** Forgets the parts that no window touches any more, and on which nothing is held. */
  async pruneWindows(): Promise<void> {
    const rows = await this.#database.read((db) =>
      db.selectFrom('budgets').select(['id', 'period']).where('period', 'like', 'rolling:%'),
    );
    for (const { id, period } of rows) {
      const { windowS = 0 } = readPeriod(period);
      // One window more than counts: clocks of several processes may differ.
      const beforeMs = this.#clock.nowMs() - 2 * windowS * 1_000;
      await this.#database.commit({
        steps: [
          this.#database.step((db) =>
            db
              .deleteFrom('balances')
              .where('budget_id', '=', id)
              .where('period_start', '>=', 0n)
              .where('period_start', '<', BigInt(beforeMs))
              .where('held_nanos', '=', 0n),
          ),
        ],
      });
    }
  }

  /** Refused when the scope has a budget of the period. */
  insertStep(budget: Budget): SqlStep {
    const mac = this.#mac.sign('budgets', macFields(budget));
    return this.#database.step(
      (db) =>
        db
          .insertInto('budgets')
          .values({
            id: budget.id,
            organization_id: budget.organizationId,
            scope: budget.scope,
            scope_id: budget.scopeId,
            period: periodColumn(budget),
            cap_nanos: budget.cap,
            created_at: budget.createdAtMs,
            time_zone: zoneColumn(budget),
            ...termColumns(budget),
            mac,
          })
          .onConflict((conflict) => conflict.columns(['scope_id', 'period']).doNothing()),
      'changes-row',
    );
  }

  /** Changes the cap and its terms; what is posted and held stays. Refused when it is not any more what it was. */
  updateStep(budget: Budget, before: Budget): SqlStep {
    const mac = this.#mac.sign('budgets', macFields(budget));
    const macBefore = this.#mac.sign('budgets', macFields(before));
    return this.#database.step(
      (db) =>
        db
          .updateTable('budgets')
          .set({ cap_nanos: budget.cap, ...termColumns(budget), mac })
          .where('id', '=', budget.id)
          .where('mac', '=', macBefore),
      'changes-row',
    );
  }

  removeStep(id: Id<'budget'>): SqlStep {
    return this.#database.step((db) => db.deleteFrom('budgets').where('id', '=', id), 'changes-row');
  }

  #fromRow(row: Selectable<Schema['budgets']>): Budget {
    const budget: Budget = {
      id: row.id as Id<'budget'>,
      organizationId: row.organization_id as Id<'organization'>,
      scope: row.scope as Scope,
      scopeId: row.scope_id,
      ...readPeriod(row.period),
      timeZone: row.time_zone ?? UTC,
      cap: nanos(row.cap_nanos),
      raise:
        row.raised_cap_nanos === null || row.raised_until === null
          ? undefined
          : { cap: nanos(row.raised_cap_nanos), untilMs: Number(row.raised_until) },
      alertPercents: row.alert_percents === null ? [] : (JSON.parse(row.alert_percents) as number[]),
      createdAtMs: Number(row.created_at),
    };
    if (!this.#mac.holds('budgets', { fields: macFields(budget), mac: row.mac })) {
      throw new Fault('unavailable', { internal: `the row of budget ${row.id} was edited outside Keyfold` });
    }
    return budget;
  }
}

/** Everything whose budgets a call is under. */
export function idsOf({ organizationId, projectId, keyId, parentId }: ScopeIds): string[] {
  return [organizationId, projectId, keyId, ...(parentId === undefined ? [] : [parentId])];
}

type BalanceColumns = Selectable<Schema['balances']>;

/** A window's length is part of the name of its period: a scope has one budget of each. */
function periodColumn({ period, windowS }: BudgetPeriod): string {
  return windowS === undefined ? period : `${period}:${windowS}`;
}

function readPeriod(column: string): BudgetPeriod {
  const [period, windowS] = column.split(':');
  return { period: period as Period, windowS: windowS === undefined ? undefined : Number(windowS) };
}

function zoneColumn({ timeZone }: Budget): string | null {
  return timeZone === UTC ? null : timeZone;
}

function termColumns({ raise, alertPercents }: Budget) {
  return {
    raised_cap_nanos: raise?.cap ?? null,
    raised_until: raise?.untilMs ?? null,
    alert_percents: alertPercents.length === 0 ? null : JSON.stringify(alertPercents),
  };
}

/** What came later is signed where it is set: rows from before it keep their MAC. */
function macFields(budget: Budget): (string | number | Nanos)[] {
  const { raise } = budget;
  return [
    budget.id,
    budget.organizationId,
    budget.scope,
    budget.scopeId,
    periodColumn(budget),
    budget.cap,
    ...(zoneColumn(budget) === null ? [] : ['zone', budget.timeZone]),
    ...(raise === undefined ? [] : ['raise', raise.cap, raise.untilMs]),
    ...(budget.alertPercents.length === 0 ? [] : ['alerts', ...budget.alertPercents]),
  ];
}
