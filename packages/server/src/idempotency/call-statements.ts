/** The statements of idempotent calls, compiled once: some of them go with reservations and resolutions. */
import { sql } from 'kysely';
import type { Database } from '../storage/database.ts';
import type { SqlStep } from '../storage/statement.ts';

/** Namespace of PostgreSQL's advisory locks on calls; those of `storage/postgres/locks.ts` are others. */
const CALL_LOCKS = 1_802_201_959;

type RowName = 'key_id' | 'idempotency_key' | 'reservation_id';
/** `owner` is the reservation that the row belongs to so far; a row that is not there belongs to any. */
type Taken = Readonly<Record<RowName | 'organization_id' | 'fingerprint' | 'owner', string>> &
  Readonly<Record<'created_at', number>>;
type Kept = Readonly<Record<RowName | 'state', string>> &
  Readonly<Record<'answer', string | null>> &
  Readonly<Record<'bytes', number>>;

export interface CallStatements {
  /** Makes the row, or takes it over from its owner. Guarded: refused where it has another owner. */
  take(values: Taken): SqlStep;
  /** Of a row that still belongs to the reservation: never a reason for the resolution to fail. */
  keep(values: Kept): SqlStep;
  /** Guarded: refused where nothing is left to forget. */
  forget(values: { readonly before: number; readonly limit: number }): SqlStep;
}

export function prepareCallStatements({ prepare, dialect }: Database): CallStatements {
  // Two processes that insert the same rows in another order would wait for each other: who comes second is refused at once.
  const mayInsert =
    dialect === 'postgres'
      ? (name: unknown) => sql<boolean>`pg_try_advisory_xact_lock(${sql.lit(CALL_LOCKS)}, hashtext(${name}))`
      : () => sql<boolean>`true`;
  const take = prepare<Taken>(
    (db, param) =>
      db
        .insertInto('idempotent_calls')
        .columns([
          'key_id',
          'idempotency_key',
          'organization_id',
          'fingerprint',
          'reservation_id',
          'state',
          'bytes',
          'created_at',
        ])
        .expression(
          db
            .selectNoFrom([
              text(param('key_id')).as('key_id'),
              text(param('idempotency_key')).as('idempotency_key'),
              text(param('organization_id')).as('organization_id'),
              text(param('fingerprint')).as('fingerprint'),
              text(param('reservation_id')).as('reservation_id'),
              sql<string>`'open'`.as('state'),
              sql<bigint>`0`.as('bytes'),
              sql<bigint>`cast(${param('created_at')} as bigint)`.as('created_at'),
            ])
            .where(mayInsert(sql`${text(param('key_id'))} || ' ' || ${text(param('idempotency_key'))}`)),
        )
        .onConflict((conflict) =>
          conflict
            .columns(['key_id', 'idempotency_key'])
            .doUpdateSet((eb) => ({
              fingerprint: eb.ref('excluded.fingerprint'),
              reservation_id: eb.ref('excluded.reservation_id'),
              state: eb.ref('excluded.state'),
              bytes: eb.ref('excluded.bytes'),
              created_at: eb.ref('excluded.created_at'),
              answer: null,
            }))
            .where('idempotent_calls.reservation_id', '=', param('owner')),
        ),
    'changes-row',
  );
  const keep = prepare<Kept>((db, param) =>
    db
      .updateTable('idempotent_calls')
      .set({ state: param('state'), answer: param('answer'), bytes: param('bytes') })
      .where('key_id', '=', param('key_id'))
      .where('idempotency_key', '=', param('idempotency_key'))
      .where('reservation_id', '=', param('reservation_id')),
  );
  const forget = prepare<{ before: number; limit: number }>(
    (db, param) =>
      db.deleteFrom('idempotent_calls').where(
        sql<boolean>`(key_id, idempotency_key) in (
          select key_id, idempotency_key from idempotent_calls
          where created_at < ${param('before')} order by created_at limit ${param('limit')})`,
      ),
    'changes-row',
  );
  return { take, keep, forget };
}

/** PostgreSQL does not know the type of a parameter that stands in a select. */
function text(parameter: unknown) {
  return sql<string>`cast(${parameter} as text)`;
}
