/** The headers that Keyfold adds to answers of the data plane. */
import { type Nanos, formatUsd } from '@keyfold/protocol';
import type { LimitState } from '../../limits/limiter.ts';
import type { ResponseHeaders } from '../client-exchange.ts';
import type { Decision } from '../deciding/decide.ts';

/** `x-ratelimit-{limit,remaining,reset}-{requests,tokens}`, in OpenAI's form: `reset` as seconds with their unit. */
export function rateHeaders(state: LimitState): ResponseHeaders {
  const headers: ResponseHeaders = {};
  for (const unit of ['requests', 'tokens'] as const) {
    const rate = state[unit];
    if (rate === undefined) continue;
    headers[`x-ratelimit-limit-${unit}`] = String(rate.limit);
    headers[`x-ratelimit-remaining-${unit}`] = String(rate.remaining);
    headers[`x-ratelimit-reset-${unit}`] = `${rate.resetMs / 1_000}s`;
  }
  return headers;
}

/** Who served the call. `cost` is absent while a stream's cost is not yet known. */
export function callHeaders(decision: Decision, cost: Nanos | undefined): ResponseHeaders {
  const headers = rateHeaders(decision.admission.state);
  headers['x-keyfold-key-id'] = decision.principal.key.id;
  headers['x-keyfold-provider'] = decision.target.provider;
  headers['x-keyfold-model'] = headerText(decision.target.model);
  if (decision.clampedTo !== undefined) headers['x-keyfold-max-tokens'] = String(decision.clampedTo);
  if (cost !== undefined) headers['x-keyfold-cost-usd'] = formatUsd(cost);
  return headers;
}

/** A model's name may hold what a header may not. */
function headerText(text: string): string {
  return /^[\x21-\x7e]*$/.test(text) ? text : encodeURIComponent(text);
}
