/** Signed checkpoints of the audit chains, kept for ever. */
import type { ColumnDefinitionBuilder } from 'kysely';
import type { Migration } from './migration-shape.ts';

const required = (column: ColumnDefinitionBuilder) => column.notNull();

export const auditCheckpoints: Migration = {
  name: '0009-audit-checkpoints',
  statements: (db) => [
    db.schema
      .createTable('audit_checkpoints')
      .addColumn('node', 'bigint', required)
      .addColumn('size', 'bigint', required)
      .addColumn('at', 'bigint', required)
      .addColumn('head', 'text', required)
      .addColumn('note', 'text', required)
      .addPrimaryKeyConstraint('audit_checkpoints_key', ['node', 'size']),
  ],
};
