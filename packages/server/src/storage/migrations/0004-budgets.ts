/** Budgets in time zones, and caps that are raised for a while. */
import type { Migration } from './migration-shape.ts';

export const budgets: Migration = {
  name: '0004-budgets',
  statements: (db) => [
    db.schema.alterTable('budgets').addColumn('time_zone', 'text'),
    ...(['raised_cap_nanos', 'raised_until'] as const).map((column) =>
      db.schema.alterTable('budgets').addColumn(column, 'bigint'),
    ),
  ],
};
