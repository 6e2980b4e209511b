/** The headers that Keyfold adds to answers of the data plane. */
import { type Nanos, ZERO_NANOS, formatUsd } from '@keyfold/protocol';
import type { AnswerFacts } from '../../idempotency/kept-answer.ts';
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
  const { admission, principal, target, clampedTo } = decision;
  const { provider, model } = target;
  return servedHeaders(
    { provider, model, clampedTo },
    { keyId: principal.key.id, state: admission.state, cost },
  );
}

/** Of an answer that is given again: it costs nothing. Stripe's names tell that it is one, and of which request. */
export function replayHeaders(
  answer: AnswerFacts,
  to: { readonly keyId: string; readonly state: LimitState },
): ResponseHeaders {
  return {
    'content-type': answer.contentType,
    ...(answer.streamed ? NOT_CACHED : {}),
    ...servedHeaders(answer, { ...to, cost: answer.streamed ? undefined : ZERO_NANOS }),
    'idempotent-replayed': 'true',
    'original-request': answer.requestId,
  };
}

/** Of streams: proxies would gather them. */
export const NOT_CACHED = { 'cache-control': 'no-cache' };

function servedHeaders(
  target: Pick<AnswerFacts, 'provider' | 'model' | 'clampedTo'>,
  of: { readonly keyId: string; readonly state: LimitState; readonly cost: Nanos | undefined },
): ResponseHeaders {
  const headers = rateHeaders(of.state);
  headers['x-keyfold-key-id'] = of.keyId;
  headers['x-keyfold-provider'] = target.provider;
  headers['x-keyfold-model'] = headerText(target.model);
  if (target.clampedTo !== undefined) headers['x-keyfold-max-tokens'] = String(target.clampedTo);
  if (of.cost !== undefined) headers['x-keyfold-cost-usd'] = formatUsd(of.cost);
  return headers;
}

/** A model's name may hold what a header may not. */
function headerText(text: string): string {
  return /^[\x21-\x7e]*$/.test(text) ? text : encodeURIComponent(text);
}
