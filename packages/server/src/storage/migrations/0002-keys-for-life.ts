/** Signing, children, quarantine, canaries, and what is known of the use of each version of a key. */
import type { Kysely } from 'kysely';
import type { Migration } from './migration-shape.ts';

export const keysForLife: Migration = {
  name: '0002-keys-for-life',
  statements: (db, dialect) => [
    ...(['not_before', 'quarantined_at', 'parent_version'] as const).map((column) =>
      db.schema.alterTable('keys').addColumn(column, 'bigint'),
    ),
    ...(['signing', 'parent_id'] as const).map((column) =>
      db.schema.alterTable('keys').addColumn(column, 'text'),
    ),
    db.schema.alterTable('keys').addColumn('canary', 'bigint', (column) => column.notNull().defaultTo(0)),
    db.schema
      .createIndex('keys_by_parent')
      .on('keys')
      .columns(['parent_id', 'expires_at'])
      .where('parent_id', 'is not', null),
    db.schema.alterTable('key_versions').addColumn('rotation_id', 'text'),
    db.schema.alterTable('key_versions').addColumn('alerted_at', 'bigint'),
    db.schema
      .createIndex('key_versions_by_end')
      .on('key_versions')
      .column('expires_at')
      .where('expires_at', 'is not', null),
    db.schema
      .createTable('version_uses')
      .addColumn('version_id', 'text', (column) => column.primaryKey())
      .addColumn('uses', 'bigint', (column) => column.notNull())
      .addColumn('last_used_at', 'bigint', (column) => column.notNull()),
    signingSecrets(db),
    claims(db, dialect),
    db.schema
      .alterTable('organizations')
      .addColumn('leak_policy', 'text', (column) => column.notNull().defaultTo('quarantine')),
    // Whether a process lives is told by its boot; nothing reads its node.
    db.schema.alterTable('reservations').dropColumn('node'),
  ],
};

function signingSecrets(db: Kysely<unknown>) {
  return db.schema
    .createTable('signing_secrets')
    .addColumn('id', 'text', (column) => column.primaryKey())
    .addColumn('key_id', 'text', (column) => column.notNull())
    .addColumn('version', 'bigint', (column) => column.notNull())
    .addColumn('algorithm', 'text', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.unique())
    .addColumn('material', 'text', (column) => column.notNull())
    .addColumn('display', 'text', (column) => column.notNull())
    .addColumn('created_at', 'bigint', (column) => column.notNull())
    .addColumn('expires_at', 'bigint')
    .addColumn('mac', 'text', (column) => column.notNull())
    .addUniqueConstraint('signing_secrets_version', ['key_id', 'version']);
}

/**
 * SQLite serves one process, whose writer holds the live claims in memory: the rows are written one after the other and
 * read at start. Where several processes share a database, it is the database that finds a value used.
 */
function claims(db: Kysely<unknown>, dialect: 'sqlite' | 'postgres') {
  const table = db.schema.createTable('claims');
  if (dialect === 'sqlite') {
    return table
      .addColumn('id', 'integer', (column) => column.primaryKey())
      .addColumn('value', 'text', (column) => column.notNull());
  }
  return table
    .addColumn('id', 'bigserial', (column) => column.unique())
    .addColumn('value', 'text', (column) => column.primaryKey());
}
