/**
 * What was used and what it cost, by any of the groups. Read from the sums, which are written with the calls and never
 * differ from them; of hours that a report begins or ends in, from the calls themselves.
 */
import { type Nanos, nanos } from '@keyfold/protocol';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import { Denial } from '../kernel/denial.ts';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import { type CallFilter, isSource } from './call-filter.ts';
import { firstPackedAt, packedSql } from './packed-id.ts';
import { readPrunedBefore } from './prune.ts';
import { TOKEN_CLASSES, type TokenCounts, mapTokens } from './token-classes.ts';
import { type Part, cutTime } from './usage-parts.ts';

export const USAGE_GROUPS = [
  'key',
  'project',
  'model',
  'provider',
  'credential',
  'hour',
  'day',
  'month',
] as const;
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

const MARGIN_MS = 1_000;
const MS = { hour: 3_600_000, day: 86_400_000 };

/** Times are UTC. Refused, never cut off, when there are more than `USAGE_ROWS_MAX` rows. */
export async function sumUsage(
  database: Database,
  filter: CallFilter,
  groups: readonly UsageGroup[],
): Promise<UsageSum[] | Denial> {
  const parts = cutTime(filter, groups.includes('hour') ? 'hour' : 'day');
  const lost = await findLost(database, parts);
  if (lost !== undefined) return lost;
  const rows = await database.read((db) => selectSums(db, { database, filter, groups, parts }), 'report');
  const sums = mergeGroups(rows, groups);
  if (rows.length <= rowsMaxOf(parts) && sums.length <= USAGE_ROWS_MAX) return sums;
  return new Denial('invalid_request', {
    message: `The report has more than ${USAGE_ROWS_MAX} rows. Shorten the time or group by less.`,
    param: 'group_by',
  });
}

/** A part of an hour whose calls are gone cannot be told from nothing. */
async function findLost(database: Database, parts: readonly Part[]): Promise<Denial | undefined> {
  const edges = parts.flatMap((part) => (part.of === 'calls' ? [part.fromMs] : []));
  if (edges.length === 0) return undefined;
  const prunedBeforeMs = await readPrunedBefore(database);
  if (edges.every((fromMs) => fromMs >= prunedBeforeMs)) return undefined;
  const before = new Date(prunedBeforeMs).toISOString();
  return new Denial('invalid_request', {
    message: `Calls before ${before} are not kept any more, only their sums by the hour: 'from' and 'to' must be whole hours there.`,
    param: 'from',
  });
}

interface Question {
  readonly database: Database;
  readonly filter: CallFilter;
  readonly groups: readonly UsageGroup[];
  readonly parts: readonly Part[];
}

type SumRow = Readonly<Record<string, string | bigint | null>>;

/** One statement, so that all parts are of one moment. */
function selectSums(db: Kysely<Schema>, of: Question) {
  const selects = of.parts.map((part) => sql`select * from (${selectPart(part, of)}) as part`);
  return db
    .selectFrom(sql<SumRow>`(${sql.join(selects, sql` union all `)})`.as('sums'))
    .selectAll()
    .limit(rowsMaxOf(of.parts) + 1);
}

/** A group may have a row in every part. */
function rowsMaxOf(parts: readonly Part[]): number {
  return USAGE_ROWS_MAX * parts.length;
}

function selectPart(part: Part, { database, filter, groups }: Question): RawBuilder<unknown> {
  const columns = groups.flatMap((group) => COLUMN_OF[group] ?? []).map((column) => sql.ref(`s.${column}`));
  const time = timeOf(part, groups);
  // Time first: it is the order in which sums lie.
  const by = [...(time === undefined ? [] : [time.by]), ...columns];
  const selected = [...columns, ...(time === undefined ? [] : [sql`${time.startMs} as start`])];
  const calls = part.of === 'calls' ? sql`case when c.attempt = 1 then 1 else 0 end` : sql`c.calls`;
  const sums = [
    sql`sum(${calls}) as calls`,
    ...[...TOKEN_CLASSES, 'cost_nanos'].map((name) => sql`sum(${sql.ref(`c.${name}`)}) as ${sql.ref(name)}`),
  ];
  return sql`select ${sql.join([...selected, ...sums])} from ${sql.table(TABLE_OF[part.of])} as c
    cross join call_sources as s where s.no = c.source and ${isSource(filter)} and ${isWithin(part, database)}
    ${by.length === 0 ? sql`` : sql`group by ${sql.join(by)}`}`;
}

const TABLE_OF = { calls: 'calls', hours: 'usage_hours', days: 'usage_days' } as const;

/** The hour or day that a row is in, where the report asks for one: what to group by, and when it begins in milliseconds. */
function timeOf(part: Part, groups: readonly UsageGroup[]) {
  const isByHour = groups.includes('hour');
  if (!isByHour && !groups.includes('day') && !groups.includes('month')) return undefined;
  const unitMs = sql.lit(isByHour ? MS.hour : MS.day);
  if (part.of === 'calls')
    return { by: sql`c.reserved_at / ${unitMs}`, startMs: sql`c.reserved_at / ${unitMs} * ${unitMs}` };
  const by = part.of === 'hours' && !isByHour ? sql`c.start / 24` : sql`c.start`;
  return { by, startMs: sql`cast(${by} as bigint) * ${unitMs}` };
}

function isWithin(part: Part, database: Database): RawBuilder<unknown> {
  if (part.of !== 'calls') {
    const from = part.from === undefined ? sql`true` : sql`c.start >= ${part.from}`;
    return part.to === undefined ? from : sql`${from} and c.start < ${part.to}`;
  }
  const packed = packedSql(database.dialect);
  const { fromMs, toMs } = part;
  const [first, end] = [firstPackedAt(fromMs), firstPackedAt(toMs + 2 * MARGIN_MS)];
  return sql`c.id >= ${packed.write(first)} and c.id < ${packed.write(end)}
    and c.reserved_at >= ${BigInt(fromMs)} and c.reserved_at < ${BigInt(toMs)}`;
}

const COLUMN_OF: Readonly<Partial<Record<UsageGroup, string>>> = {
  key: 'key_id',
  project: 'project_id',
  model: 'model',
  provider: 'provider',
  credential: 'credential_id',
};

/** Sums of days become sums of months here, since the databases differ in how they name a time; and parts become one. */
function mergeGroups(rows: readonly SumRow[], groups: readonly UsageGroup[]): UsageSum[] {
  const sums = new Map<string, UsageSum>();
  const renderTime = createRenderTime();
  for (const row of rows) {
    const names = groups.map((name) => groupValue(name, row, renderTime));
    const id = JSON.stringify(names);
    const sum = readSum(row, Object.fromEntries(groups.map((name, index) => [name, names[index]])));
    const before = sums.get(id);
    sums.set(id, before === undefined ? sum : add(before, sum));
  }
  return [...sums.values()];
}

/** A sum over no rows is null. */
function readSum(row: SumRow, group: UsageSum['group']): UsageSum {
  const read = (name: string) => (row[name] as bigint | null) ?? 0n;
  return { group, calls: read('calls'), tokens: mapTokens(read), cost: nanos(read('cost_nanos')) };
}

function add(a: UsageSum, b: UsageSum): UsageSum {
  return {
    group: a.group,
    calls: a.calls + b.calls,
    tokens: mapTokens((each) => a.tokens[each] + b.tokens[each]),
    cost: nanos(a.cost + b.cost),
  };
}

/** A call of the sandbox has no credential: its name is empty. */
function groupValue(group: UsageGroup, row: SumRow, renderTime: (startMs: number) => string): string {
  const column = COLUMN_OF[group];
  if (column !== undefined) return String(row[column] ?? '');
  const text = renderTime(Number(row['start']));
  return group === 'hour' ? `${text.slice(0, 13)}:00:00Z` : text.slice(0, group === 'day' ? 10 : 7);
}

/** Rows come in the order of time, and rendering a time costs as much as the rest of a row. */
function createRenderTime(): (startMs: number) => string {
  let [lastMs, lastText] = [Number.NaN, ''];
  return (startMs) => {
    if (startMs !== lastMs) [lastMs, lastText] = [startMs, new Date(startMs).toISOString()];
    return lastText;
  };
}
