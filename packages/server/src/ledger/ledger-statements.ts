/** The ledger's statements, compiled once: they are the hot path of every call. */
import { type Expression, type Kysely, sql } from 'kysely';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import { SUM_COLUMNS, type SqlStep, type Step, type SumStep } from '../storage/statement.ts';
import { type CallEnd, PROVENANCES, RESOLUTIONS } from './call-row.ts';
import { CallSources, type NamedSource } from './call-source.ts';
import { packId, packedSql } from './packed-id.ts';
import type { Reservation, Resolution } from './reservation.ts';
import { renderStoredCall } from './stored-call.ts';
import { countTokens, mapTokens } from './token-classes.ts';

export interface LedgerStatements {
  checkRevision(of: { readonly id: string; readonly revision: number }): SqlStep;
  insertReservation(reservation: Reservation, database: Database): SqlStep;
  removeReservation(id: string): SqlStep;
  recordCall(
    reservation: Reservation,
    resolution: Resolution & { readonly resolvedAtMs: number },
  ): RecordedCall;
  /** Refused where the row is there. */
  recordCorrection(correction: Reservation, end: Ended): readonly Step[];
}

/** How a row in `calls` came to be. */
export type Ended = Omit<Resolution, 'kind'> & { readonly kind: CallEnd; readonly resolvedAtMs: number };

/** A call's row, and what it adds to the sums. */
export interface RecordedCall {
  readonly steps: readonly Step[];
  readonly source: NamedSource;
}

const HOUR_MS = 3_600_000;

export function prepareLedgerStatements(database: Database): LedgerStatements {
  const { prepare } = database;
  const packed = packedSql(database.dialect);
  const sources = new CallSources(database);
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
  const intoCalls = (
    db: Kysely<Schema>,
    param: <Name extends keyof CallValues>(name: Name) => Expression<CallValues[Name]>,
  ) =>
    db.insertInto('calls').values({
      id: packed.write(param('id')),
      request_id: packed.write(param('request_id')),
      // Found by its digest, so that no number has to cross to this process and be right for ever.
      source: db.selectFrom('call_sources').select('no').where('digest', '=', param('source')),
      key_version: param('key_version'),
      attempt: param('attempt'),
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
      duration_ms: param('duration_ms'),
    });
  const insertCall = prepare<CallValues>(intoCalls);
  const insertCorrection = prepare<CallValues>(
    (db, param) => intoCalls(db, param).onConflict((conflict) => conflict.doNothing()),
    'changes-row',
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
    recordCorrection: (correction, end) => {
      const source = sources.name(correction.call);
      const values = callValues(correction, end, source.digest);
      return [...source.steps, insertCorrection(values), sumOf(values, source)];
    },
    recordCall: (reservation, resolution) => {
      const source = sources.name(reservation.call);
      const values = callValues(reservation, resolution, source.digest);
      return { source, steps: [...source.steps, insertCall(values), sumOf(values, source)] };
    },
  };
}

type CallValues = ReturnType<typeof callValues>;

function callValues({ id, call, held, reservedAtMs }: Reservation, resolution: Ended, source: string) {
  const { usage } = resolution;
  const tokens = countTokens(usage);
  return {
    id: packId(id),
    request_id: packId(call.requestId),
    source,
    key_version: call.keyVersion,
    attempt: call.attempt,
    streamed: call.streamed ? 1 : 0,
    resolution: RESOLUTIONS.indexOf(resolution.kind),
    provenance: PROVENANCES.indexOf(usage.provenance),
    status: resolution.status,
    error: resolution.error ?? null,
    flags: resolution.flags.length === 0 ? null : resolution.flags.join(' '),
    ...mapTokens((each) => (tokens[each] === 0 ? null : tokens[each])),
    held_nanos: held as bigint,
    cost_nanos: resolution.cost as bigint,
    reserved_at: reservedAtMs,
    duration_ms: resolution.resolvedAtMs - reservedAtMs,
  };
}

function sumOf(values: CallValues, { digest }: NamedSource): SumStep {
  const hour = Math.floor(values.reserved_at / HOUR_MS);
  return { sum: { source: digest, hour }, amounts: amountsOf(values) };
}

/** A call counts once, with its first attempt. What it used and cost is added up over all of them. */
function amountsOf(values: CallValues): bigint[] {
  return SUM_COLUMNS.map((column) =>
    column === 'calls' ? BigInt(values.attempt === 1 ? 1 : 0) : BigInt(values[column] ?? 0),
  );
}
