/** The ledger's statements, compiled once: they are the hot path of every call. */
import { sql } from 'kysely';
import type { Database } from '../storage/database.ts';
import type { SqlStep } from '../storage/statement.ts';
import type { Reservation, Resolution } from './reservation.ts';
import { renderStoredCall } from './stored-call.ts';
import { countTokens, mapTokens } from './token-classes.ts';

export interface LedgerStatements {
  checkRevision(of: { readonly id: string; readonly revision: number }): SqlStep;
  insertReservation(reservation: Reservation, database: Database): SqlStep;
  removeReservation(id: string): SqlStep;
  insertCall(reservation: Reservation, resolution: Resolution & { readonly resolvedAtMs: number }): SqlStep;
}

export function prepareLedgerStatements({ prepare }: Database): LedgerStatements {
  const checkRevision = prepare<{ id: string; revision: number }>(
    (db, param) =>
      db
        .selectFrom('organizations')
        .select(sql<number>`1`.as('still'))
        .where('id', '=', param('id'))
        .where(sql<boolean>`revision = ${param('revision')}`),
    'finds-row',
  );
  const insertReservation = prepare<{
    id: string;
    boot: string;
    at: number;
    held: bigint;
    call: string;
  }>((db, param) =>
    db.insertInto('reservations').values({
      id: param('id'),
      boot: param('boot'),
      reserved_at: param('at'),
      held_nanos: param('held'),
      call: param('call'),
    }),
  );
  const removeReservation = prepare<{ id: string }>(
    (db, param) => db.deleteFrom('reservations').where('id', '=', param('id')),
    'changes-row',
  );
  const insertCall = prepare<CallValues>((db, param) =>
    db.insertInto('calls').values({
      id: param('id'),
      organization_id: param('organization_id'),
      project_id: param('project_id'),
      key_id: param('key_id'),
      key_version: param('key_version'),
      request_id: param('request_id'),
      endpoint: param('endpoint'),
      provider: param('provider'),
      model: param('model'),
      credential_id: param('credential_id'),
      streamed: param('streamed'),
      resolution: param('resolution'),
      provenance: param('provenance'),
      status: param('status'),
      error: param('error'),
      flags: param('flags'),
      ...mapTokens((each) => param(each)),
      held_nanos: param('held_nanos'),
      cost_nanos: param('cost_nanos'),
      reserved_at: param('reserved_at'),
      resolved_at: param('resolved_at'),
      attempt: param('attempt'),
      route: param('route'),
    }),
  );
  return {
    checkRevision,
    insertReservation: (reservation, database) =>
      insertReservation({
        id: reservation.id,
        boot: database.boot,
        at: reservation.reservedAtMs,
        held: reservation.held,
        call: renderStoredCall(reservation),
      }),
    removeReservation: (id) => removeReservation({ id }),
    insertCall: (reservation, resolution) => insertCall(callValues(reservation, resolution)),
  };
}

type CallValues = ReturnType<typeof callValues>;

function callValues(reservation: Reservation, resolution: Resolution & { readonly resolvedAtMs: number }) {
  const { call } = reservation;
  const { usage } = resolution;
  return {
    id: reservation.id as string,
    organization_id: call.organizationId as string,
    project_id: call.projectId as string,
    key_id: call.keyId as string,
    key_version: call.keyVersion,
    request_id: call.requestId,
    endpoint: call.endpoint,
    provider: call.provider,
    model: call.model,
    credential_id: call.credentialId ?? null,
    streamed: call.streamed ? 1 : 0,
    resolution: resolution.kind as string,
    provenance: usage.provenance as string,
    status: resolution.status,
    error: resolution.error ?? null,
    flags: resolution.flags.length === 0 ? null : resolution.flags.join(' '),
    ...countTokens(usage),
    held_nanos: reservation.held as bigint,
    cost_nanos: resolution.cost as bigint,
    reserved_at: reservation.reservedAtMs,
    resolved_at: resolution.resolvedAtMs,
    attempt: call.attempt,
    route: call.route ?? null,
  };
}
