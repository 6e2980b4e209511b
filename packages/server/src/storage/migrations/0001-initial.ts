/** The first schema. A migration is never edited once released: the next change is the next file. */
import { type CreateTableBuilder, type Kysely, sql } from 'kysely';
import type { Migration } from './migration-shape.ts';

export const initial: Migration = {
  name: '0001-initial',
  statements: (db, dialect) => [
    table(db, 'organizations')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('name', 'text', required)
      .addColumn('created_at', 'bigint', required)
      .addColumn('revision', 'bigint', required),
    table(db, 'projects')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('organization_id', 'text', required)
      .addColumn('name', 'text', required)
      .addColumn('created_at', 'bigint', required)
      .addUniqueConstraint('projects_name', ['organization_id', 'name']),
    table(db, 'keys')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('organization_id', 'text', required)
      .addColumn('project_id', 'text', required)
      .addColumn('kind', 'text', required)
      .addColumn('name', 'text')
      .addColumn('permissions', 'text', required)
      .addColumn('models', 'text')
      .addColumn('networks', 'text')
      .addColumn('requests_per_minute', 'bigint')
      .addColumn('tokens_per_minute', 'bigint')
      .addColumn('concurrent_requests', 'bigint')
      .addColumn('expires_at', 'bigint')
      .addColumn('revoked_at', 'bigint')
      .addColumn('auto_rotate', 'bigint', required)
      .addColumn('rotation_interval_s', 'bigint', required)
      .addColumn('metadata', 'text')
      .addColumn('created_at', 'bigint', required)
      .addColumn('revision', 'bigint', required)
      .addColumn('mac', 'text', required),
    index(db, 'keys_by_organization', { table: 'keys', columns: ['organization_id', 'id'] }),
    table(db, 'key_versions')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('key_id', 'text', required)
      .addColumn('version', 'bigint', required)
      .addColumn('hash', 'text', (column) => column.notNull().unique())
      .addColumn('pepper_version', 'bigint', required)
      .addColumn('display', 'text', required)
      .addColumn('created_at', 'bigint', required)
      .addColumn('expires_at', 'bigint')
      .addColumn('mac', 'text', required)
      .addUniqueConstraint('key_versions_version', ['key_id', 'version']),
    table(db, 'budgets')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('organization_id', 'text', required)
      .addColumn('scope', 'text', required)
      .addColumn('scope_id', 'text', required)
      .addColumn('period', 'text', required)
      .addColumn('cap_nanos', 'bigint', required)
      .addColumn('created_at', 'bigint', required)
      .addColumn('mac', 'text', required)
      .addUniqueConstraint('budgets_scope', ['scope_id', 'period']),
    table(db, 'balances')
      .addColumn('budget_id', 'text', required)
      .addColumn('period_start', 'bigint', required)
      .addColumn('posted_nanos', 'bigint', (column) => column.notNull().check(sql`posted_nanos >= 0`))
      .addColumn('held_nanos', 'bigint', (column) => column.notNull().check(sql`held_nanos >= 0`))
      .addPrimaryKeyConstraint('balances_key', ['budget_id', 'period_start'])
      .$call(clustered(dialect)),
    table(db, 'reservations')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('node', 'bigint', required)
      .addColumn('boot', 'text', required)
      .addColumn('reserved_at', 'bigint', required)
      .addColumn('held_nanos', 'bigint', required)
      .addColumn('call', 'text', required),
    callsTable(db).$call(clustered(dialect)),
    // Ids sort by time, so the primary key itself is the index by time.
    index(db, 'calls_by_key', { table: 'calls', columns: ['key_id', 'id'] }),
    table(db, 'credentials')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('organization_id', 'text', required)
      .addColumn('provider', 'text', required)
      .addColumn('name', 'text', required)
      .addColumn('base_url', 'text', required)
      .addColumn('allow_networks', 'text', required)
      .addColumn('models', 'text')
      .addColumn('version', 'bigint', required)
      .addColumn('sealed', 'text', required)
      .addColumn('created_at', 'bigint', required)
      .addColumn('updated_at', 'bigint', required)
      .addUniqueConstraint('credentials_name', ['organization_id', 'name']),
    table(db, 'prices')
      .addColumn('organization_id', 'text', required)
      .addColumn('provider', 'text', required)
      .addColumn('model', 'text', required)
      .addColumn('effective_from', 'bigint', required)
      .addColumn('price', 'text', required)
      .addColumn('created_at', 'bigint', required)
      .addPrimaryKeyConstraint('prices_key', ['organization_id', 'provider', 'model', 'effective_from']),
    table(db, 'idempotency')
      .addColumn('key_id', 'text', required)
      .addColumn('idempotency_key', 'text', required)
      .addColumn('request_hash', 'text', required)
      .addColumn('status', 'bigint', required)
      .addColumn('response', 'text', required)
      .addColumn('created_at', 'bigint', required)
      .addPrimaryKeyConstraint('idempotency_key', ['key_id', 'idempotency_key']),
    table(db, 'audit_records')
      .addColumn('node', 'bigint', required)
      .addColumn('sequence', 'bigint', required)
      .addColumn('at', 'bigint', required)
      .addColumn('record', 'text', required)
      .addColumn('head', 'text', required)
      .addPrimaryKeyConstraint('audit_records_key', ['node', 'sequence']),
  ],
};

function callsTable(db: Kysely<unknown>): CreateTableBuilder<string> {
  let calls = table(db, 'calls').addColumn('id', 'text', (column) => column.primaryKey());
  for (const name of [
    'organization_id',
    'project_id',
    'key_id',
    'request_id',
    'endpoint',
    'provider',
    'model',
  ] as const) {
    calls = calls.addColumn(name, 'text', required);
  }
  for (const name of ['credential_id', 'error', 'flags'] as const) calls = calls.addColumn(name, 'text');
  for (const name of ['resolution', 'certainty'] as const) calls = calls.addColumn(name, 'text', required);
  for (const name of [
    'key_version',
    'streamed',
    'status',
    'input_tokens',
    'cached_input_tokens',
    'cache_write_tokens',
    'output_tokens',
    'reasoning_tokens',
    'held_nanos',
    'cost_nanos',
    'reserved_at',
    'resolved_at',
  ] as const) {
    calls = calls.addColumn(name, 'bigint', required);
  }
  return calls;
}

/** SQLite: the rows lie in their primary key, instead of beside an index of it. Halves the writes of the call path. */
function clustered(dialect: 'sqlite' | 'postgres') {
  return (builder: CreateTableBuilder<string>) =>
    dialect === 'sqlite' ? builder.modifyEnd(sql`without rowid`) : builder;
}

function table(db: Kysely<unknown>, name: string): CreateTableBuilder<string> {
  return db.schema.createTable(name);
}

function index(db: Kysely<unknown>, name: string, on: { table: string; columns: string[] }) {
  return db.schema.createIndex(name).on(on.table).columns(on.columns);
}

function required<Column extends { notNull(): Column }>(column: Column): Column {
  return column.notNull();
}
