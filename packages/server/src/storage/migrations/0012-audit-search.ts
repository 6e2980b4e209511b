/** On PostgreSQL, the search index of the audit log. Embedded, it is a file of its own. */
import { sql } from 'kysely';
import type { Migration } from './migration-shape.ts';

export const auditSearch: Migration = {
  name: '0012-audit-search',
  statements: (db, dialect) =>
    (dialect === 'sqlite' ? [] : TABLES).map((text) => ({ compile: () => sql.raw(text).compile(db) })),
};

const TABLES = [
  `create table audit_blocks (node integer not null, block bigint not null, from_ms bigint not null, to_ms bigint not null,
    head bytea not null, terms tsvector not null, primary key (node, block))`,
  'create index audit_blocks_terms on audit_blocks using gin (terms)',
];
