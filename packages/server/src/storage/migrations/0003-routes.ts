/** Routes, pools of credentials, the attempts of a call, and its tokens that are no text. */
import type { Migration } from './migration-shape.ts';

const MEDIA_TOKENS = [
  'audio_input_tokens',
  'image_input_tokens',
  'audio_output_tokens',
  'image_output_tokens',
] as const;

export const routes: Migration = {
  name: '0003-routes',
  statements: (db) => [
    db.schema
      .createTable('routes')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('organization_id', 'text', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('targets', 'text', (column) => column.notNull())
      .addColumn('retry', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('updated_at', 'bigint', (column) => column.notNull())
      .addColumn('mac', 'text', (column) => column.notNull())
      .addUniqueConstraint('routes_name', ['organization_id', 'name']),
    db.schema
      .alterTable('credentials')
      .addColumn('weight', 'bigint', (column) => column.notNull().defaultTo(1)),
    ...(['limits', 'previous_sealed'] as const).map((column) =>
      db.schema.alterTable('credentials').addColumn(column, 'text'),
    ),
    db.schema.alterTable('credentials').addColumn('previous_until', 'bigint'),
    db.schema
      .alterTable('credentials')
      .addColumn('stream_policy', 'text', (column) => column.notNull().defaultTo('full')),
    db.schema.alterTable('calls').addColumn('attempt', 'bigint', (column) => column.notNull().defaultTo(1)),
    db.schema.alterTable('calls').addColumn('route', 'text'),
    ...MEDIA_TOKENS.map((column) =>
      db.schema.alterTable('calls').addColumn(column, 'bigint', (added) => added.notNull().defaultTo(0)),
    ),
  ],
};
