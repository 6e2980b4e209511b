/** Prepaid credit: an account for an organization, its entries, and rates of currencies. */
import type { ColumnDefinitionBuilder } from 'kysely';
import type { Migration } from './migration-shape.ts';

const required = (column: ColumnDefinitionBuilder) => column.notNull();

export const credit: Migration = {
  name: '0007-credit',
  statements: (db) => [
    db.schema
      .createTable('credit_accounts')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('organization_id', 'text', (column) => column.notNull().unique())
      .addColumn('credited_nanos', 'bigint', required)
      .addColumn('entries', 'bigint', required)
      .addColumn('opened_at', 'bigint', required)
      .addColumn('mac', 'text', required),
    db.schema
      .createTable('credit_entries')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('organization_id', 'text', required)
      .addColumn('number', 'bigint', required)
      .addColumn('kind', 'text', required)
      .addColumn('from_account', 'text', required)
      .addColumn('to_account', 'text', required)
      .addColumn('amount_nanos', 'bigint', required)
      .addColumn('currency', 'text', required)
      .addColumn('paid', 'text', required)
      .addColumn('usd_per_unit_nanos', 'bigint', required)
      .addColumn('rate_source', 'text')
      .addColumn('reference', 'text')
      .addColumn('note', 'text')
      .addColumn('actor', 'text', required)
      .addColumn('created_at', 'bigint', required)
      .addColumn('mac', 'text', required)
      .addUniqueConstraint('credit_entries_number', ['organization_id', 'number'])
      .addUniqueConstraint('credit_entries_reference', ['organization_id', 'reference']),
    db.schema
      .createTable('currency_rates')
      .addColumn('organization_id', 'text', required)
      .addColumn('currency', 'text', required)
      .addColumn('usd_per_unit_nanos', 'bigint', required)
      .addColumn('source', 'text', required)
      .addColumn('updated_at', 'bigint', required)
      .addColumn('mac', 'text', required)
      .addPrimaryKeyConstraint('currency_rates_key', ['organization_id', 'currency']),
  ],
};
