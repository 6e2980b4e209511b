/** Hands the resolution of an attempt to the ledger, and tells the limits and the metrics of it. */
import type { Clock } from '../../kernel/clock.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { MeasuredCosts } from '../../ledger/measured-costs.ts';
import type { Resolution } from '../../ledger/reservation.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import { countCall } from './count-call.ts';
import type { Decision } from '../deciding/decide.ts';
import { payer } from '../deciding/reserve-call.ts';
import { tokensOf } from './settle.ts';

export interface ResolveRooms {
  readonly ledger: Ledger;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly measured: MeasuredCosts;
}

export interface Resolved {
  /** What the attempt used. */
  readonly tokens: number | undefined;
  /** Resolves once it is on disk, or waits for storage to be back. */
  readonly written: Promise<void>;
}

/** Before the client has its last byte. That it is the only resolution, the ledger makes sure. */
export function resolveAttempt(rooms: ResolveRooms, decision: Decision, ended: Resolution): Resolved {
  const { reservation, place, clampedTo } = decision;
  const resolution =
    clampedTo === undefined ? ended : { ...ended, flags: [...ended.flags, 'output_clamped'] };
  const tokens = tokensOf(resolution);
  measure(rooms, decision, resolution);
  // The ledger first: whatever else broke here must not keep it from being told.
  const written = rooms.ledger.resolve(reservation, resolution).then(
    (isFirst) => {
      if (!isFirst) rooms.telemetry.resolvedTwice(reservation.id);
    },
    // The hold stands until a later try writes the resolution, or recovery charges it at the estimate.
    (error: unknown) => rooms.telemetry.settlementFailed(reservation.id, error),
  );
  place.finish(tokens);
  rooms.telemetry.resolved(countCall(reservation, resolution, rooms.clock.nowMs()));
  return { tokens, written };
}

/** Only what a provider reported of a call that was answered says what such calls cost. */
function measure(
  { measured }: ResolveRooms,
  { principal, reservation }: Decision,
  resolution: Resolution,
): void {
  const { id: keyId, estimate } = payer(principal);
  const isMeasured = resolution.usage.provenance === 'provider' && resolution.error === undefined;
  if (estimate === undefined || !isMeasured || resolution.kind !== 'settlement') return;
  measured.note(
    { keyId, model: reservation.call.model },
    { cost: resolution.cost, estimate: reservation.estimate },
  );
}
