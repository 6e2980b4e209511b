/** Migrations: ordered, forward only, applied at start in one transaction and recorded in `facts`. */
import type { Kysely } from 'kysely';
import { createQueryBuilder } from '../query-builder.ts';
import { initial } from './0001-initial.ts';
import { keysForLife } from './0002-keys-for-life.ts';
import { routes } from './0003-routes.ts';
import { budgets } from './0004-budgets.ts';
import { smallCalls } from './0005-small-calls.ts';
import { idempotentCalls } from './0006-idempotent-calls.ts';
import { credit } from './0007-credit.ts';
import { holdingLess } from './0008-holding-less.ts';
import { checkpoints } from './0009-checkpoints.ts';
import { auditArchives } from './0010-audit-archives.ts';
import { alerts } from './0011-alerts.ts';
import { auditSearch } from './0012-audit-search.ts';
import type { Migration } from './migration-shape.ts';
import type { MigrationSql } from './pending.ts';

/** In the order in which they are applied. */
const MIGRATIONS: readonly Migration[] = [
  initial,
  keysForLife,
  routes,
  budgets,
  smallCalls,
  idempotentCalls,
  credit,
  holdingLess,
  checkpoints,
  auditArchives,
  alerts,
  auditSearch,
];

/** Every migration as SQL, in order, for one dialect. */
export function renderMigrations(dialect: 'sqlite' | 'postgres'): MigrationSql {
  const db = createQueryBuilder(dialect) as unknown as Kysely<unknown>;
  return MIGRATIONS.map((migration) =>
    migration.statements(db, dialect).map((statement) => statement.compile().sql),
  );
}
