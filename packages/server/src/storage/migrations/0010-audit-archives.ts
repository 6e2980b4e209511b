/** Segments of the audit log that were archived, and legal holds, during which none is. */
import { type ColumnDefinitionBuilder, type Kysely, sql } from 'kysely';
import type { Migration } from './migration-shape.ts';

const required = (column: ColumnDefinitionBuilder) => column.notNull();

export const auditArchives: Migration = {
  name: '0010-audit-archives',
  statements: (db) => [
    db.schema
      .createTable('audit_archives')
      .addColumn('node', 'bigint', required)
      .addColumn('first', 'bigint', required)
      .addColumn('last', 'bigint', required)
      .addColumn('head', 'text', required)
      .addColumn('sha256', 'text', required)
      .addColumn('file', 'text', required)
      .addColumn('at', 'bigint', required)
      .addColumn('mac', 'text', required)
      .addPrimaryKeyConstraint('audit_archives_key', ['node', 'last']),
    db.schema
      .createTable('audit_holds')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('organization_id', 'text', required)
      .addColumn('reason', 'text', required)
      .addColumn('created_by', 'text', required)
      .addColumn('created_at', 'bigint', required)
      .addColumn('released_by', 'text')
      .addColumn('released_at', 'bigint')
      .addColumn('mac', 'text', required),
    db.schema.createIndex('audit_holds_by_organization').on('audit_holds').columns(['organization_id', 'id']),
    makeArchiver(db),
  ],
};

/** Who archives writes its name here, and whoever sets a hold wipes it out: the row is always there to be locked. */
function makeArchiver(db: Kysely<unknown>) {
  const text = "insert into facts (name, value) values ('audit_archiver', '')";
  return { compile: () => sql.raw(text).compile(db) };
}
