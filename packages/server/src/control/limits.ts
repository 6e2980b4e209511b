/** Rate limits as the management API takes and shows them, of keys and of credentials. */
import type { LimitRules } from '../limits/limiter.ts';
import type { Json } from './endpoint.ts';
import { z } from './schemas.ts';

const RATE_MAX = 1_000_000_000;
const rate = z.int().min(1).max(RATE_MAX).nullable();

/** Null removes a limit. */
export const limitsBody = z.strictObject({
  requests_per_minute: rate.optional(),
  tokens_per_minute: rate.optional(),
  concurrent_requests: rate.optional(),
});

export const limitsView = z.object({
  requests_per_minute: z.number().nullable(),
  tokens_per_minute: z.number().nullable(),
  concurrent_requests: z.number().nullable(),
});

export const NO_LIMITS: LimitRules = {
  requestsPerMinute: undefined,
  tokensPerMinute: undefined,
  concurrentRequests: undefined,
};

/** What is not named stays as it was. */
export function mergeLimits(before: LimitRules, body: z.infer<typeof limitsBody> = {}): LimitRules {
  return {
    requestsPerMinute: pick(body.requests_per_minute, before.requestsPerMinute),
    tokensPerMinute: pick(body.tokens_per_minute, before.tokensPerMinute),
    concurrentRequests: pick(body.concurrent_requests, before.concurrentRequests),
  };
}

export function renderLimits(limits: LimitRules): Json {
  return {
    requests_per_minute: limits.requestsPerMinute ?? null,
    tokens_per_minute: limits.tokensPerMinute ?? null,
    concurrent_requests: limits.concurrentRequests ?? null,
  };
}

function pick(wanted: number | null | undefined, before: number | undefined): number | undefined {
  return wanted === undefined ? before : (wanted ?? undefined);
}
