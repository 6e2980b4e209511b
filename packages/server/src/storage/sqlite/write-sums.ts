/** Adds a commit's sums of usage to their rows on SQLite. Runs inside the worker. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { SUM_COLUMNS } from '../statement.ts';
import type { SumBatch, SumRow } from '../sum-batch.ts';

export class SumWriter {
  readonly #addToHour: StatementSync;
  readonly #addToDay: StatementSync;

  constructor(db: DatabaseSync) {
    this.#addToHour = db.prepare(renderAdd('usage_hours'));
    this.#addToDay = db.prepare(renderAdd('usage_days'));
  }

  write(sums: SumBatch): void {
    for (const row of sums.hours()) add(this.#addToHour, row);
    for (const row of sums.days()) add(this.#addToDay, row);
  }
}

/** A sum that has no source would be lost without a word. */
function add(statement: StatementSync, { source, start, amounts }: SumRow): void {
  const { changes } = statement.run(start, ...amounts, source);
  if (changes !== 1) throw new Error(`the source ${source} of a sum is not known`);
}

/** Zero takes no room in SQLite, so it is written as it is. */
function renderAdd(table: string): string {
  const columns = SUM_COLUMNS.join(', ');
  const values = SUM_COLUMNS.map(() => '?').join(', ');
  const sums = SUM_COLUMNS.map((column) => `${column} = ${column} + excluded.${column}`).join(', ');
  return `insert into ${table} (start, ${columns}, source) select ?, ${values}, no from call_sources where digest = ?
    on conflict do update set ${sums}`;
}
