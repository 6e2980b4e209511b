/** Reads of the ledger: calls one by one, and sums of them. */
import { type Id, type Nanos, nanos } from '@keyfold/protocol';
import { sql } from 'kysely';
import type { Clock } from '../kernel/clock.ts';
import type { Denial } from '../kernel/denial.ts';
import type { Database } from '../storage/database.ts';
import type { CallFilter } from './call-filter.ts';
import { type CallRow, readCall, selectCalls } from './call-row.ts';
import { CallLister, type CallPage } from './list-calls.ts';
import { findPacked, packedSql } from './packed-id.ts';
import { UTC, periodStartMs } from './period.ts';
import { type UsageGroup, type UsageSum, sumUsage } from './usage-report.ts';

export type { CallFilter } from './call-filter.ts';
export type { CallRow } from './call-row.ts';
export type { CallPage } from './list-calls.ts';
export { USAGE_GROUPS, USAGE_ROWS_MAX, type UsageGroup, type UsageSum } from './usage-report.ts';

const DAY_MS = 86_400_000;

export class LedgerReports {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #lister: CallLister;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
    this.#lister = new CallLister(database);
  }

  /** What a key's settled calls cost in this day and month. */
  async spentByKey(key: {
    readonly id: Id<'key'>;
    readonly organizationId: Id<'organization'>;
  }): Promise<{ readonly today: Nanos; readonly thisMonth: Nanos }> {
    const nowMs = this.#clock.nowMs();
    const today = dayOf(nowMs);
    const first = dayOf(periodStartMs({ period: 'month', timeZone: UTC }, nowMs));
    const days = Array.from({ length: today - first + 1 }, (_, index) => BigInt(first + index));
    const rows = await this.#database.read(
      (db) =>
        db
          .selectFrom('call_sources as s')
          .innerJoin('usage_days as d', 'd.source', 's.no')
          .select(['d.start', 'd.cost_nanos'])
          .where('s.organization_id', '=', key.organizationId)
          .where('s.key_id', '=', key.id)
          // Each day by itself: days come first in the key of the sums.
          .where('d.start', 'in', days),
      'report',
    );
    const sum = (costs: readonly { readonly cost_nanos: bigint }[]) =>
      nanos(costs.reduce((all, row) => all + row.cost_nanos, 0n));
    return { today: sum(rows.filter(({ start }) => start === BigInt(today))), thisMonth: sum(rows) };
  }

  async findCall(organizationId: Id<'organization'>, id: string): Promise<CallRow | undefined> {
    const { dialect } = this.#database;
    const packed = findPacked('reservation', id);
    if (packed === undefined) return undefined;
    const rows = await this.#database.read(
      (db) =>
        selectCalls(db, dialect)
          .where('s.organization_id', '=', organizationId)
          .where(sql<boolean>`c.id = ${packedSql(dialect).write(packed)}`),
      'report',
    );
    return rows.map(readCall)[0];
  }

  /**
   * Newest first, one beyond the limit when there are more; with `before`, oldest first. Cursors are call ids, which sort by
   * time; they need not exist any more. Nothing is before or after what is no id.
   */
  async listCalls(filter: CallFilter, page: CallPage): Promise<CallRow[]> {
    const after = packedOr(page.after);
    const before = packedOr(page.before);
    const request = filter.requestId === undefined ? undefined : findPacked('request', filter.requestId);
    if (after === NOTHING || before === NOTHING) return [];
    if (filter.requestId !== undefined && request === undefined) return [];
    return this.#lister.list({ ...filter, requestId: request }, { limit: page.limit, after, before });
  }

  sumUsage(filter: CallFilter, groups: readonly UsageGroup[]): Promise<UsageSum[] | Denial> {
    return sumUsage(this.#database, filter, groups);
  }
}

function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

const NOTHING = Symbol('nothing');

function packedOr(cursor: string | undefined): string | undefined | typeof NOTHING {
  return cursor === undefined ? undefined : (findPacked('reservation', cursor) ?? NOTHING);
}
