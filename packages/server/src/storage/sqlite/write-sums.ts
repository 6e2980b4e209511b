/** Adds a commit's sums of usage to their rows on SQLite. Runs inside the worker. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { SUM_COLUMNS } from '../statement.ts';
import type { SumBatch, SumRow } from '../sum-batch.ts';

type Table = 'usage_hours' | 'usage_days';

/** Combinations of columns that have a statement of their own; the usual ones come first. */
const STATEMENTS_MAX = 100;

export class SumWriter {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync) {
    this.#db = db;
  }

  write(sums: SumBatch): void {
    for (const row of sums.hours()) this.#add('usage_hours', row);
    for (const row of sums.days()) this.#add('usage_days', row);
  }

  /** Most classes of tokens are not used: of what is zero nothing is said, which halves the cost of a row. */
  #add(table: Table, { source, start, amounts }: SumRow): void {
    const used = SUM_COLUMNS.filter((_, index) => amounts[index] !== 0n);
    const statement = this.#statement(table, used);
    const values = statement === undefined ? amounts : amounts.filter((amount) => amount !== 0n);
    const { changes } = (statement ?? this.#prepare(table, SUM_COLUMNS)).run(start, ...values, source);
    // A sum that has no source would be lost without a word.
    if (changes !== 1) throw new Error(`the source ${source} of a sum is not known`);
  }

  #statement(table: Table, columns: readonly string[]): StatementSync | undefined {
    const name = `${table} ${columns.join(' ')}`;
    const known = this.#statements.get(name);
    if (known !== undefined || this.#statements.size >= STATEMENTS_MAX) return known;
    const statement = this.#prepare(table, columns);
    this.#statements.set(name, statement);
    return statement;
  }

  #prepare(table: Table, columns: readonly string[]): StatementSync {
    const names = columns.map((column) => `${column}, `).join('');
    const values = columns.map(() => '?, ').join('');
    const sums = columns.map((column) => `${column} = coalesce(${column}, 0) + excluded.${column}`);
    return this.#db.prepare(`insert into ${table} (start, ${names}source)
      select ?, ${values}no from call_sources where digest = ?
      on conflict do update set ${sums.length === 0 ? 'source = source' : sums.join(', ')}`);
  }
}
