/** Adds a commit's sums of usage to their rows on PostgreSQL, in one order, so that two processes never deadlock over them. */
import type pg from 'pg';
import { SUM_COLUMNS } from '../statement.ts';
import type { SumBatch, SumRow } from '../sum-batch.ts';

export async function writeSums(client: pg.Client, sums: SumBatch): Promise<void> {
  const [hours, days] = [sums.hours(), sums.days()];
  if (hours.length === 0) return;
  await Promise.all([add(client, 'usage_hours', hours), add(client, 'usage_days', days)]);
}

async function add(
  client: pg.Client,
  table: 'usage_hours' | 'usage_days',
  rows: readonly SumRow[],
): Promise<void> {
  const { rowCount } = await client.query({
    name: `keyfold_add_to_${table}`,
    text: ADD[table],
    values: [
      rows.map((row) => row.source),
      rows.map((row) => row.start),
      ...SUM_COLUMNS.map((_, index) => rows.map((row) => row.amounts[index] ?? 0n)),
    ],
  });
  // A sum that has no source would be lost without a word.
  if (rowCount !== rows.length)
    throw new Error(`${rows.length} sums were to be written to ${table}, not ${rowCount}`);
}

/** Null stands for zero, which would take eight bytes. */
function renderAdd(table: string): string {
  const names = SUM_COLUMNS.map((_, index) => `a${index}`);
  const arrays = names.map((_, index) => `$${index + 3}::bigint[]`);
  const isNullable = (column: string) => column.endsWith('_tokens');
  const added = SUM_COLUMNS.map((column, index) =>
    isNullable(column) ? `nullif(a${index}, 0)` : `a${index}`,
  );
  const sums = SUM_COLUMNS.map((column) =>
    isNullable(column)
      ? `${column} = nullif(coalesce(u.${column}, 0) + coalesce(excluded.${column}, 0), 0)`
      : `${column} = u.${column} + excluded.${column}`,
  );
  return `insert into ${table} as u (start, source, ${SUM_COLUMNS.join(', ')})
    select t.start, s.no, ${added.join(', ')}
    from unnest($1::text[], $2::integer[], ${arrays.join(', ')}) as t(digest, start, ${names.join(', ')})
    join call_sources s on s.digest = t.digest order by t.start, s.no
    on conflict (start, source) do update set ${sums.join(', ')}`;
}

const ADD = { usage_hours: renderAdd('usage_hours'), usage_days: renderAdd('usage_days') } as const;
