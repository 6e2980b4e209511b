/** Reads and writes balances on the writing connection: the transaction that runs on it holds the whole database. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { BalanceRow, BalanceSource } from '../balance-batch.ts';

interface StoredBalance {
  readonly start: bigint;
  readonly posted: bigint;
  readonly held: bigint;
}

export class BalanceRows implements BalanceSource {
  readonly #get: StatementSync;
  readonly #getSince: StatementSync;
  readonly #set: StatementSync;

  constructor(db: DatabaseSync) {
    const columns = 'period_start as start, posted_nanos as posted, held_nanos as held';
    this.#get = db.prepare(`select ${columns} from balances where budget_id = ? and period_start = ?`);
    this.#getSince = db.prepare(`select ${columns} from balances where budget_id = ? and period_start >= ?`);
    for (const statement of [this.#get, this.#getSince]) statement.setReadBigInts(true);
    this.#set = db.prepare(
      `insert into balances (budget_id, period_start, posted_nanos, held_nanos) values (?, ?, ?, ?)
       on conflict do update set posted_nanos = excluded.posted_nanos, held_nanos = excluded.held_nanos`,
    );
  }

  load(budgetId: string, periodStartMs: number): BalanceRow {
    const row = this.#get.get(budgetId, periodStartMs) as StoredBalance | undefined;
    return { budgetId, periodStartMs, posted: row?.posted ?? 0n, held: row?.held ?? 0n };
  }

  loadSince(budgetId: string, sinceMs: number): BalanceRow[] {
    const rows = this.#getSince.all(budgetId, sinceMs) as unknown as StoredBalance[];
    return rows.map(({ start, posted, held }) => ({ budgetId, periodStartMs: Number(start), posted, held }));
  }

  write(rows: Iterable<BalanceRow>): void {
    for (const row of rows) this.#set.run(row.budgetId, row.periodStartMs, row.posted, row.held);
  }
}
