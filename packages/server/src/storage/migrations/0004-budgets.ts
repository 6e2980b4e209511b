/** Budgets in time zones, caps that are raised for a while, and alerts before a budget is used up. */
import type { Migration } from './migration-shape.ts';

export const budgets: Migration = {
  name: '0004-budgets',
  statements: (db) => [
    db.schema.alterTable('budgets').addColumn('time_zone', 'text'),
    ...(['raised_cap_nanos', 'raised_until'] as const).map((column) =>
      db.schema.alterTable('budgets').addColumn(column, 'bigint'),
    ),
    db.schema.alterTable('budgets').addColumn('alert_percents', 'text'),
    db.schema
      .createTable('budget_alerts')
      .addColumn('budget_id', 'text', (column) => column.notNull())
      .addColumn('period_start', 'bigint', (column) => column.notNull())
      .addColumn('percent', 'bigint', (column) => column.notNull())
      .addColumn('at', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('budget_alerts_key', ['budget_id', 'period_start', 'percent']),
  ],
};
