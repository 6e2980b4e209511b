/** Reads of the ledger: calls one by one, and sums of them. */
import { type Id, type Nanos, nanos } from '@keyfold/protocol';
import { type Compilable, type Kysely, type Selectable, sql } from 'kysely';
import type { Clock } from '../kernel/clock.ts';
import { firstIdAt } from '../kernel/new-id.ts';
import { Denial } from '../kernel/denial.ts';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import { type PeriodRule, UTC, periodStartMs } from './period.ts';
import { TOKEN_CLASSES, type TokenCounts, mapTokens } from './token-classes.ts';

export type CallRow = Selectable<Schema['calls']>;

export interface CallFilter {
  readonly organizationId: Id<'organization'>;
  readonly keyId?: string | undefined;
  readonly projectId?: string | undefined;
  readonly model?: string | undefined;
  readonly provider?: string | undefined;
  readonly requestId?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
}

export interface CallPage {
  readonly limit: number;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
}

export const USAGE_GROUPS = ['key', 'project', 'model', 'provider', 'hour', 'day', 'month'] as const;
export type UsageGroup = (typeof USAGE_GROUPS)[number];

/** Sums over the calls of one group. */
export interface UsageSum {
  readonly group: Readonly<Partial<Record<UsageGroup, string>>>;
  readonly calls: bigint;
  readonly tokens: TokenCounts<bigint>;
  readonly cost: Nanos;
}

/** Rows that one report may have. */
export const USAGE_ROWS_MAX = 10_000;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export class LedgerReports {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(database: Database, clock: Clock) {
    this.#database = database;
    this.#clock = clock;
  }

  #read<Row>(build: (db: Kysely<Schema>) => Compilable<Row>): Promise<Row[]> {
    return this.#database.read(build, 'report');
  }

  /** What a key's settled calls cost in this day and month. */
  async spentByKey(keyId: Id<'key'>): Promise<{ readonly today: Nanos; readonly thisMonth: Nanos }> {
    const nowMs = this.#clock.nowMs();
    const sumSince = async (startMs: number) => {
      const rows = await this.#read((db) =>
        db
          .selectFrom('calls')
          .select((eb) => eb.fn.sum<bigint | null>('cost_nanos').as('cost'))
          .where('key_id', '=', keyId)
          // Ids sort by time, so the index of the key's calls begins where the period does.
          .where('id', '>=', firstIdAt('reservation', startMs))
          .where('reserved_at', '>=', BigInt(startMs)),
      );
      return nanos(rows[0]?.cost ?? 0n);
    };
    const [today, thisMonth] = await Promise.all([
      sumSince(periodStartMs(utc('day'), nowMs)),
      sumSince(periodStartMs(utc('month'), nowMs)),
    ]);
    return { today, thisMonth };
  }

  async findCall(organizationId: Id<'organization'>, id: string): Promise<CallRow | undefined> {
    const rows = await this.#read((db) =>
      db.selectFrom('calls').selectAll().where('organization_id', '=', organizationId).where('id', '=', id),
    );
    return rows[0];
  }

  /** Newest first, one beyond the limit when there are more; with `before`, oldest first. Cursors are call ids, which sort by time. */
  async listCalls(filter: CallFilter, page: CallPage): Promise<CallRow[]> {
    return this.#read((db) => {
      let query = db
        .selectFrom('calls')
        .selectAll()
        .where('organization_id', '=', filter.organizationId)
        .orderBy('id', page.before === undefined ? 'desc' : 'asc')
        .limit(page.limit + 1);
      if (page.after !== undefined) query = query.where('id', '<', page.after);
      if (page.before !== undefined) query = query.where('id', '>', page.before);
      if (filter.keyId !== undefined) query = query.where('key_id', '=', filter.keyId);
      if (filter.projectId !== undefined) query = query.where('project_id', '=', filter.projectId);
      if (filter.model !== undefined) query = query.where('model', '=', filter.model);
      if (filter.provider !== undefined) query = query.where('provider', '=', filter.provider);
      if (filter.requestId !== undefined) query = query.where('request_id', '=', filter.requestId);
      if (filter.fromMs !== undefined) query = query.where('reserved_at', '>=', BigInt(filter.fromMs));
      if (filter.toMs !== undefined) query = query.where('reserved_at', '<', BigInt(filter.toMs));
      return query;
    });
  }

  /** Sums by any of the groups; times are UTC. Refused, never cut off, when there are more than `USAGE_ROWS_MAX` rows. */
  async sumUsage(filter: CallFilter, groups: readonly UsageGroup[]): Promise<UsageSum[] | Denial> {
    const timeMs = groups.includes('hour')
      ? HOUR_MS
      : groups.some((group) => group === 'day' || group === 'month')
        ? DAY_MS
        : undefined;
    const columns = groups.flatMap((group) => COLUMN_OF[group] ?? []);
    const rows = await this.#read((db) => {
      let query = db
        .selectFrom('calls')
        .select((eb) => [
          // A call counts once, however many attempts it took.
          sql<bigint>`sum(case when attempt = 1 then 1 else 0 end)`.as('calls'),
          ...TOKEN_CLASSES.map((each) => eb.fn.sum<bigint>(each).as(each)),
          eb.fn.sum<bigint>('cost_nanos').as('cost_nanos'),
        ])
        .where('organization_id', '=', filter.organizationId);
      for (const column of columns)
        query = query.select(sql<string>`${sql.ref(column)}`.as(column)).groupBy(sql.ref(column));
      if (timeMs !== undefined) {
        const start = sql<bigint>`reserved_at / ${sql.lit(timeMs)} * ${sql.lit(timeMs)}`;
        query = query.select(start.as('start')).groupBy(start);
      }
      if (filter.keyId !== undefined) query = query.where('key_id', '=', filter.keyId);
      if (filter.projectId !== undefined) query = query.where('project_id', '=', filter.projectId);
      if (filter.model !== undefined) query = query.where('model', '=', filter.model);
      if (filter.provider !== undefined) query = query.where('provider', '=', filter.provider);
      if (filter.fromMs !== undefined) query = query.where('reserved_at', '>=', BigInt(filter.fromMs));
      if (filter.toMs !== undefined) query = query.where('reserved_at', '<', BigInt(filter.toMs));
      return query.limit(USAGE_ROWS_MAX + 1);
    });
    if (rows.length > USAGE_ROWS_MAX) {
      return new Denial('invalid_request', {
        message: `The report has more than ${USAGE_ROWS_MAX} rows. Shorten the time or group by less.`,
        param: 'group_by',
      });
    }
    return mergeGroups(rows, groups);
  }
}

const COLUMN_OF: Readonly<Partial<Record<UsageGroup, 'key_id' | 'project_id' | 'model' | 'provider'>>> = {
  key: 'key_id',
  project: 'project_id',
  model: 'model',
  provider: 'provider',
};

function utc(period: 'day' | 'month'): PeriodRule {
  return { period, timeZone: UTC };
}

type SumRow = Readonly<Record<string, string | bigint>>;

/** Sums of days become sums of months here, since the databases differ in how they name a time. */
function mergeGroups(rows: readonly SumRow[], groups: readonly UsageGroup[]): UsageSum[] {
  const sums = new Map<string, UsageSum>();
  for (const row of rows) {
    const group = Object.fromEntries(groups.map((name) => [name, groupValue(name, row)]));
    const id = JSON.stringify(group);
    const before = sums.get(id);
    // A sum over no rows is null.
    const add = (name: string, was: bigint | undefined) => ((row[name] as bigint | null) ?? 0n) + (was ?? 0n);
    sums.set(id, {
      group,
      calls: add('calls', before?.calls),
      tokens: mapTokens((each) => add(each, before?.tokens[each])),
      cost: nanos(add('cost_nanos', before?.cost)),
    });
  }
  return [...sums.values()];
}

function groupValue(group: UsageGroup, row: SumRow): string {
  const column = COLUMN_OF[group];
  if (column !== undefined) return String(row[column]);
  const text = new Date(Number(row['start'])).toISOString();
  return group === 'hour' ? `${text.slice(0, 13)}:00:00Z` : text.slice(0, group === 'day' ? 10 : 7);
}
