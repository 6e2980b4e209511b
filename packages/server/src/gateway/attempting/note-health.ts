/** What an attempt tells about the health of its target, and of the credential behind it. */
import type { Target } from '../../routing/target.ts';
import { targetId } from '../../routing/target.ts';
import type { TargetHealth } from '../../upstream/target-health.ts';
import type { FailureReason, Outcome } from './outcome.ts';

/** How long a target rests that is over its vendor's rate limit and does not say for how long. */
const RATE_LIMIT_REST_MS = 1_000;
/** How long a credential rests that its vendor refuses, or whose account is empty. */
const CREDENTIAL_REST_MS = 60_000;

/** What says something about the call, or about ourselves, and nothing about the target. */
const NOTHING_TOLD: ReadonlySet<FailureReason> = new Set<FailureReason>([
  'model',
  // Another call of the same target may name what it may use.
  'permission',
  'internal',
  'overloaded',
  'aborted',
]);

export function noteHealth(health: TargetHealth, target: Target, outcome: Outcome): void {
  const { credential } = target;
  if (credential === undefined) return;
  const id = targetId(target);
  if (outcome.kind === 'left') {
    health.toldNothing(id);
    return;
  }
  const reason = outcome.kind === 'over' ? outcome.failure : outcome.failure.reason;
  // Who refuses a request is well.
  if (reason === undefined || reason === 'request') {
    health.succeeded(id);
    health.succeeded(credential.id);
  } else if (NOTHING_TOLD.has(reason)) health.toldNothing(id);
  else if (reason === 'credential' || reason === 'quota') {
    health.rest(credential.id, CREDENTIAL_REST_MS, reason);
    health.toldNothing(id);
  } else if (reason === 'rate_limit') {
    const retryAfterMs = outcome.kind === 'failed' ? outcome.failure.retryAfterMs : undefined;
    health.rest(id, retryAfterMs ?? RATE_LIMIT_REST_MS, reason);
  } else {
    health.failed(id, reason);
    const retryAfterMs = outcome.kind === 'failed' ? outcome.failure.retryAfterMs : undefined;
    if (retryAfterMs !== undefined) health.rest(id, retryAfterMs, reason);
  }
}
