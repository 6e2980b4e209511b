/** Keys whose calls hold less than they can cost, or ask for less. */
import type { Migration } from './migration-shape.ts';

export const holdingLess: Migration = {
  name: '0008-holding-less',
  statements: (db) => [
    db.schema.alterTable('keys').addColumn('estimate', 'text'),
    db.schema.alterTable('keys').addColumn('clamp_output', 'bigint'),
  ],
};
