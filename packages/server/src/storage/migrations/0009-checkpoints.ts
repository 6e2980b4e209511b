/** Signed checkpoints of the audit chains, and how far each sink has them. */
import type { ColumnDefinitionBuilder } from 'kysely';
import type { Migration } from './migration-shape.ts';

const required = (column: ColumnDefinitionBuilder) => column.notNull();

export const checkpoints: Migration = {
  name: '0009-checkpoints',
  statements: (db) => [
    db.schema
      .createTable('audit_checkpoints')
      .addColumn('node', 'bigint', required)
      .addColumn('size', 'bigint', required)
      .addColumn('at', 'bigint', required)
      .addColumn('head', 'text', required)
      .addColumn('note', 'text', required)
      .addPrimaryKeyConstraint('audit_checkpoints_key', ['node', 'size']),
    db.schema
      .createTable('audit_sink_positions')
      .addColumn('sink', 'text', required)
      .addColumn('node', 'bigint', required)
      .addColumn('size', 'bigint', required)
      .addColumn('at', 'bigint', required)
      .addPrimaryKeyConstraint('audit_sink_positions_key', ['sink', 'node']),
  ],
};
