/** What the metrics count of a resolved call. */
import type { Reservation, Resolution } from '../../ledger/reservation.ts';
import { countTokens } from '../../ledger/token-classes.ts';
import type { ResolvedCall } from '../../telemetry/telemetry.ts';

/** For the metric alone, which is a float by nature. */
const NANOS_PER_USD = 1e9;

export function countCall(reservation: Reservation, resolution: Resolution, nowMs: number): ResolvedCall {
  return {
    provider: reservation.call.provider,
    resolution: resolution.kind,
    status: resolution.status,
    durationMs: nowMs - reservation.reservedAtMs,
    costUsd: Number(resolution.cost) / NANOS_PER_USD,
    tokens: countTokens(resolution.usage),
    flags: resolution.flags,
  };
}
