/** Steps that refuse a change when what must be unique is taken, so that of two requests that meet one is told so. */
import type { Id } from '@keyfold/protocol';
import { sql } from 'kysely';
import type { Period } from '../ledger/period.ts';
import type { Database } from '../storage/database.ts';
import type { SqlStep } from '../storage/statement.ts';

/** Refused when another credential of the organization has the name. */
export function nameIsFreeStep(
  database: Database,
  credential: {
    readonly id: Id<'credential'>;
    readonly organizationId: Id<'organization'>;
    readonly name: string;
  },
): SqlStep {
  return database.step(
    (db) =>
      db
        .selectNoFrom(sql<number>`1`.as('free'))
        .where((eb) =>
          eb.not(
            eb.exists(
              eb
                .selectFrom('credentials')
                .select('id')
                .where('organization_id', '=', credential.organizationId)
                .where('name', '=', credential.name)
                .where('id', '!=', credential.id),
            ),
          ),
        ),
    'finds-row',
  );
}

/** Refused when the scope has a budget of the period. */
export function periodIsFreeStep(
  database: Database,
  of: { readonly scopeId: string; readonly period: Period },
): SqlStep {
  return database.step(
    (db) =>
      db
        .selectNoFrom(sql<number>`1`.as('free'))
        .where((eb) =>
          eb.not(
            eb.exists(
              eb
                .selectFrom('budgets')
                .select('id')
                .where('scope_id', '=', of.scopeId)
                .where('period', '=', of.period),
            ),
          ),
        ),
    'finds-row',
  );
}
