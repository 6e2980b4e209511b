/** Calls that were made under an Idempotency-Key, with the answers that are given again. */
import type { Migration } from './migration-shape.ts';

export const idempotentCalls: Migration = {
  name: '0006-idempotent-calls',
  statements: (db) => [
    db.schema
      .createTable('idempotent_calls')
      .addColumn('key_id', 'text', (column) => column.notNull())
      .addColumn('idempotency_key', 'text', (column) => column.notNull())
      .addColumn('organization_id', 'text', (column) => column.notNull())
      .addColumn('fingerprint', 'text', (column) => column.notNull())
      .addColumn('reservation_id', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('bytes', 'bigint', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      // The last column: whoever reads another does not read what lies behind it.
      .addColumn('answer', 'text')
      .addPrimaryKeyConstraint('idempotent_calls_key', ['key_id', 'idempotency_key']),
    db.schema.createIndex('idempotent_calls_by_age').on('idempotent_calls').column('created_at'),
    // What is kept is summed from this alone.
    db.schema
      .createIndex('idempotent_calls_by_organization')
      .on('idempotent_calls')
      .columns(['organization_id', 'key_id', 'bytes']),
  ],
};
