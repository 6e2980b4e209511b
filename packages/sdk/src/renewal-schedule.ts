/** When a key is renewed, and when what failed is tried again. All times are by the server's clock. */
import { ERRORS, type ErrorCode } from '@keyfold/protocol';
import { KeyfoldError } from './errors.ts';
import type { HeldKey } from './held-key.ts';
import { backOffMs } from './timing.ts';

/** Of its life a key is used this much. What is left is for attempts that fail. */
const RENEW_AT = 0.8;
/** The holders of a fleet that started at once renew over this much of a life, all before {@link RENEW_AT}. */
const SPREAD = 0.05;
/** Versions that came so close together may end together and still not be held by the end of the whole key. */
const SAME_TIME_MS = 60_000;
const PAUSE_MS_MIN = 1_000;
const PAUSE_MS_MAX = 300_000;

/** Between 75 and 80 % of the key's life; `undefined` for a key that does not end. */
export function renewalTimeMs({ startsAtMs, endsAtMs }: HeldKey, random: number): number | undefined {
  if (endsAtMs === undefined) return undefined;
  return startsAtMs + (endsAtMs - startsAtMs) * (RENEW_AT - SPREAD * random);
}

/** Whether a version came out with a later end than the one before, or will when there is more time between them. */
export function lastsLonger(next: HeldKey, before: HeldKey): boolean {
  if (next.endsAtMs === undefined) return true;
  return next.endsAtMs !== before.endsAtMs || next.startsAtMs - before.startsAtMs < SAME_TIME_MS;
}

export interface FailedAttempt {
  readonly error: unknown;
  /** How many have failed in a row, this one included. */
  readonly failures: number;
  readonly nowMs: number;
  readonly random: number;
  /** Whether another key may be had although this one has ended. */
  readonly canReload: boolean;
}

/** After growing pauses, which shrink again as the end comes near; `undefined` when nothing is left to hope for. */
export function nextAttemptMs({ endsAtMs }: HeldKey, failed: FailedAttempt): number | undefined {
  const { error, nowMs } = failed;
  const remainingMs = (endsAtMs ?? Infinity) - nowMs;
  const isOver = remainingMs <= 0 || (error instanceof KeyfoldError && isForGood(error.code));
  if (isOver && !failed.canReload) return undefined;
  const pauseMs = pauseBeforeMs(failed.failures, failed.random);
  const askedMs = error instanceof KeyfoldError ? (error.retryAfterMs ?? 0) : 0;
  const longestMs = isOver ? PAUSE_MS_MAX : Math.max(PAUSE_MS_MIN, remainingMs / 2);
  return nowMs + Math.min(Math.max(pauseMs, askedMs), longestMs);
}

export function pauseBeforeMs(attempt: number, random: number): number {
  return Math.max(
    PAUSE_MS_MIN,
    backOffMs(attempt, { firstMs: 2 * PAUSE_MS_MIN, maxMs: PAUSE_MS_MAX, random }),
  );
}

/** A key that is held or not yet valid may still come to work; one that is unknown, expired or revoked does not. */
function isForGood(code: string): boolean {
  const definition = Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode] : undefined;
  return definition?.status === 401 && definition.retry === 'never';
}
