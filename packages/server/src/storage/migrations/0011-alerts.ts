/** Alert rules, what they found, whom they tell, and what they have done to keys. */
import type { ColumnDefinitionBuilder } from 'kysely';
import type { Migration } from './migration-shape.ts';

const required = (column: ColumnDefinitionBuilder) => column.notNull();

export const alerts: Migration = {
  name: '0011-alerts',
  statements: (db) => [
    db.schema.alterTable('keys').addColumn('breaker', 'text'),
    db.schema
      .createTable('alert_rules')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('organization_id', 'text', required)
      .addColumn('name', 'text', required)
      .addColumn('scope', 'text', required)
      .addColumn('scope_ids', 'text', required)
      .addColumn('condition', 'text', required)
      .addColumn('webhook_ids', 'text', required)
      .addColumn('action', 'text', required)
      .addColumn('cooldown_s', 'bigint', required)
      .addColumn('enabled', 'bigint', required)
      .addColumn('created_at', 'bigint', required)
      .addColumn('updated_at', 'bigint', required)
      .addColumn('mac', 'text', required)
      .addUniqueConstraint('alert_rules_name', ['organization_id', 'name']),
    db.schema
      .createTable('alert_firings')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('organization_id', 'text', required)
      .addColumn('rule_id', 'text', required)
      .addColumn('subject', 'text', required)
      .addColumn('number', 'bigint', required)
      .addColumn('at', 'bigint', required)
      .addColumn('cleared_at', 'bigint')
      .addColumn('detail', 'text', required)
      .addUniqueConstraint('alert_firings_number', ['rule_id', 'subject', 'number']),
    db.schema
      .createIndex('alert_firings_by_organization')
      .on('alert_firings')
      .columns(['organization_id', 'id']),
    db.schema.createIndex('alert_firings_by_subject').on('alert_firings').columns(['subject']),
    db.schema
      .createTable('alert_sightings')
      .addColumn('key_id', 'text', required)
      .addColumn('kind', 'text', required)
      .addColumn('value', 'text', required)
      .addColumn('at', 'bigint', required)
      .addPrimaryKeyConstraint('alert_sightings_key', ['key_id', 'kind', 'value']),
    db.schema
      .createTable('alert_lessons')
      .addColumn('key_id', 'text', required)
      .addColumn('kind', 'text', required)
      .addColumn('since', 'bigint', required)
      .addColumn('calls', 'bigint', required)
      .addPrimaryKeyConstraint('alert_lessons_key', ['key_id', 'kind']),
    db.schema
      .createTable('alert_positions')
      .addColumn('node', 'bigint', (column) => column.primaryKey())
      .addColumn('sequence', 'bigint', required),
    db.schema
      .createTable('webhooks')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('organization_id', 'text', required)
      .addColumn('name', 'text', required)
      .addColumn('url', 'text', required)
      .addColumn('sealed', 'text', required)
      .addColumn('previous_sealed', 'text')
      .addColumn('previous_until', 'bigint')
      .addColumn('disabled_at', 'bigint')
      .addColumn('created_at', 'bigint', required)
      .addColumn('updated_at', 'bigint', required)
      .addColumn('mac', 'text', required)
      .addUniqueConstraint('webhooks_name', ['organization_id', 'name']),
    db.schema
      .createTable('webhook_deliveries')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('organization_id', 'text', required)
      .addColumn('webhook_id', 'text', required)
      .addColumn('firing_id', 'text', required)
      .addColumn('body', 'text', required)
      .addColumn('state', 'text', required)
      .addColumn('attempts', 'bigint', required)
      .addColumn('next_at', 'bigint', required)
      .addColumn('leased_until', 'bigint', required)
      .addColumn('last_status', 'bigint')
      .addColumn('last_error', 'text')
      .addColumn('created_at', 'bigint', required)
      .addColumn('ended_at', 'bigint'),
    db.schema.createIndex('webhook_deliveries_due').on('webhook_deliveries').columns(['state', 'next_at']),
    db.schema
      .createIndex('webhook_deliveries_by_organization')
      .on('webhook_deliveries')
      .columns(['organization_id', 'id']),
  ],
};
