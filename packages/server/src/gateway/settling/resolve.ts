/** Hands the resolution of an attempt to the ledger, and tells the limits and the metrics of it. */
import type { Clock } from '../../kernel/clock.ts';
import type { Ledger } from '../../ledger/ledger.ts';
import type { Resolution } from '../../ledger/reservation.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import { countCall } from './count-call.ts';
import type { Decision } from '../deciding/decide.ts';
import { tokensOf } from './settle.ts';

export interface ResolveRooms {
  readonly ledger: Ledger;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

export interface Resolved {
  /** What the attempt used. */
  readonly tokens: number | undefined;
  /** Resolves once it is on disk, or waits for storage to be back. */
  readonly written: Promise<void>;
}

/** Before the client has its last byte. That it is the only resolution, the ledger makes sure. */
export function resolveAttempt(
  rooms: ResolveRooms,
  { reservation, place }: Decision,
  resolution: Resolution,
): Resolved {
  const tokens = tokensOf(resolution);
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
