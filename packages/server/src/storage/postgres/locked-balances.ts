/**
 * The balances of one batch on PostgreSQL, made and locked in one order whatever the order of its units: two nodes so never
 * deadlock, and what is read stays true until the commit.
 *
 * Of a budget with a rolling window, one balance is locked that stands for all (`WINDOW_ANCHOR_MS`): two nodes that reserve
 * on different parts of a window so come one after the other. Settlements, which have no cap, do not wait for it: they make
 * held money posted, and a sum that was read before is no smaller than after (but for what overran its hold).
 */
import type pg from 'pg';
import type { UnitOfWork } from '../database.ts';
import type { BalanceRow, BalanceSource } from '../balance-batch.ts';
import type { BalanceName } from '../statement.ts';

const WINDOW_ANCHOR_MS = -1;

const MAKE = `insert into balances (budget_id, period_start, posted_nanos, held_nanos)
  select b, p, 0, 0 from unnest($1::text[], $2::bigint[]) as t(b, p) on conflict do nothing`;
const LOCK = `select * from balances where (budget_id, period_start) in (select * from unnest($1::text[], $2::bigint[]))
  order by budget_id, period_start for update`;
const READ_WINDOWS = `select balances.* from balances join unnest($1::text[], $2::bigint[]) as t(b, since)
  on budget_id = t.b and period_start >= t.since`;
const WRITE = `update balances set posted_nanos = t.posted, held_nanos = t.held
  from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) as t(b, p, posted, held)
  where budget_id = t.b and period_start = t.p`;

interface StoredBalance {
  readonly budget_id: string;
  readonly period_start: bigint;
  readonly posted_nanos: bigint;
  readonly held_nanos: bigint;
}

export class LockedBalances implements BalanceSource {
  readonly #locked: ReadonlyMap<string, BalanceRow>;
  readonly #windows: ReadonlyMap<string, readonly BalanceRow[]>;

  constructor(locked: readonly BalanceRow[], windows: readonly BalanceRow[]) {
    this.#locked = new Map(locked.map((row) => [nameOf(row), row]));
    this.#windows = Map.groupBy(windows, ({ budgetId }) => budgetId);
  }

  load(budgetId: string, periodStartMs: number): BalanceRow {
    const row = this.#locked.get(nameOf({ budgetId, periodStartMs }));
    if (row === undefined) throw new Error(`balance of ${budgetId} was not locked`);
    return row;
  }

  loadSince(budgetId: string, sinceMs: number): BalanceRow[] {
    const rows = (this.#windows.get(budgetId) ?? []).filter((row) => row.periodStartMs >= sinceMs);
    return rows.map((row) => this.#locked.get(nameOf(row)) ?? row);
  }
}

/** Locks every balance that the units will change, and reads the windows that their caps are for. */
export async function lockBalances(client: pg.Client, units: readonly UnitOfWork[]): Promise<LockedBalances> {
  const names = new Map<string, BalanceName>();
  const windows = new Map<string, number>();
  const add = (name: BalanceName) => names.set(nameOf(name), name);
  for (const { steps } of units) {
    for (const step of steps) {
      if (!('balance' in step)) continue;
      add(step.balance);
      if (step.sinceMs === undefined) continue;
      const { budgetId } = step.balance;
      add({ budgetId, periodStartMs: WINDOW_ANCHOR_MS });
      windows.set(budgetId, Math.min(step.sinceMs, windows.get(budgetId) ?? Infinity));
    }
  }
  if (names.size === 0) return new LockedBalances([], []);
  const sorted = [...names.keys()].sort().map((name) => names.get(name) as BalanceName);
  const columns = [sorted.map((each) => each.budgetId), sorted.map((each) => each.periodStartMs)];
  // Sent ahead: should it fail, so does the next, which is waited for.
  client.query({ name: 'keyfold_make_balances', text: MAKE, values: columns }).catch(() => undefined);
  const locked = await query(client, { name: 'keyfold_lock_balances', text: LOCK, values: columns });
  if (windows.size === 0) return new LockedBalances(locked, []);
  const values = [[...windows.keys()], [...windows.values()]];
  const read = await query(client, { name: 'keyfold_read_windows', text: READ_WINDOWS, values });
  return new LockedBalances(locked, read);
}

export async function writeBalances(client: pg.Client, changed: Iterable<BalanceRow>): Promise<void> {
  const rows = [...changed];
  if (rows.length === 0) return;
  await client.query({
    name: 'keyfold_write_balances',
    text: WRITE,
    values: [
      rows.map((row) => row.budgetId),
      rows.map((row) => row.periodStartMs),
      rows.map((row) => row.posted),
      rows.map((row) => row.held),
    ],
  });
}

async function query(client: pg.Client, of: pg.QueryConfig): Promise<BalanceRow[]> {
  const { rows } = await client.query<StoredBalance>(of);
  return rows.map((row) => ({
    budgetId: row.budget_id,
    periodStartMs: Number(row.period_start),
    posted: row.posted_nanos,
    held: row.held_nanos,
  }));
}

function nameOf({ budgetId, periodStartMs }: BalanceName): string {
  return `${budgetId} ${periodStartMs}`;
}
