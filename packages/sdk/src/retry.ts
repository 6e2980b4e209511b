/**
 * A `fetch` that tries again where that is safe and worth it. It can take the place of `fetch` in any SDK, and goes around
 * a fetch that signs, so that every attempt has a signature of its own: `retryingFetch({ fetch: signedFetch(…) })`.
 *
 * - What is tried again: no answer, 408, 429, 500, 502, 503, 504, and 409 `idempotency_in_flight`; `x-should-retry: true`
 *   or `false` from the server comes first.
 * - A POST or PATCH is repeated when the server says that it refused it (429, 503), and otherwise only under an
 *   `Idempotency-Key`, since it may have been done. Under one, a model call that was answered is answered the same again
 *   and paid for once; one that failed is made anew, and what the failed one cost stays.
 * - A body that can be read but once (a stream) is sent once.
 * - Between attempts it waits as long as `retry-after` says; without it at random, below a bound that doubles. An answer
 *   that asks for more patience than `retryAfterMsMax` is given back instead, as is the last one.
 */
import { discard } from './answer-text.ts';
import { mayRetry, toKeyfoldError } from './errors.ts';
import { type FetchInit, type FetchInput, headersOf, isRepeatable } from './repeatable.ts';
import { readRetryAfterMs } from './retry-after.ts';
import { type Timing, backOffMs, sleep, systemTiming } from './timing.ts';

export interface RetryOptions {
  /** What sends each attempt; the runtime's own unless given. */
  readonly fetch?: typeof fetch | undefined;
  /** Attempts in all, the first included. */
  readonly attemptsMax?: number | undefined;
  /** The longest `retry-after` that is waited for. */
  readonly retryAfterMsMax?: number | undefined;
  readonly timing?: Timing | undefined;
}

export const ATTEMPTS_MAX_DEFAULT = 3;
export const RETRY_AFTER_MS_MAX_DEFAULT = 60_000;
const BACK_OFF = { firstMs: 500, maxMs: 8_000 };

/** What may be done twice with the effect of once (RFC 9110, section 9.2.2). */
const IDEMPOTENT_METHODS: readonly string[] = ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'];
/** What is answered before anything was done. */
const REFUSED_STATUSES: readonly number[] = [429, 503];

/** Throws `RangeError` unless `attemptsMax` is a whole number of at least 1. */
export function retryingFetch(options: RetryOptions = {}): typeof fetch {
  const {
    fetch: send = (input, init) => globalThis.fetch(input, init),
    attemptsMax = ATTEMPTS_MAX_DEFAULT,
    retryAfterMsMax = RETRY_AFTER_MS_MAX_DEFAULT,
    timing = systemTiming,
  } = options;
  if (!Number.isInteger(attemptsMax) || attemptsMax < 1)
    throw new RangeError('attemptsMax must be 1 or more');
  const policy = { retryAfterMsMax, timing };

  return async function fetchWithRetries(input, init) {
    const signal = init?.signal ?? (input instanceof Request ? input.signal : undefined);
    const attempts = isRepeatable(input, init) ? attemptsMax : 1;
    const isHarmless = isHarmlessTwice(input, init);
    for (let attempt = 1; ; attempt++) {
      const outcome = await attemptOnce(() => send(input, init));
      const mayRepeat = attempt < attempts && signal?.aborted !== true;
      const delayMs = mayRepeat ? await delayBeforeNext(outcome, { attempt, isHarmless, policy }) : undefined;
      if (delayMs === undefined) {
        if ('error' in outcome) throw outcome.error;
        return outcome.response;
      }
      if ('response' in outcome) await discard(outcome.response);
      await sleep(timing, delayMs, { signal });
    }
  };
}

type Outcome = { readonly response: Response } | { readonly error: unknown };

interface Attempt {
  readonly attempt: number;
  readonly isHarmless: boolean;
  readonly policy: { readonly retryAfterMsMax: number; readonly timing: Timing };
}

async function attemptOnce(send: () => Promise<Response>): Promise<Outcome> {
  try {
    return { response: await send() };
  } catch (error) {
    return { error };
  }
}

function isHarmlessTwice(input: FetchInput, init: FetchInit): boolean {
  const method = init?.method ?? (input instanceof Request ? input.method : 'GET');
  if (IDEMPOTENT_METHODS.includes(method.toUpperCase())) return true;
  return headersOf(input, init).has('idempotency-key');
}

/** `undefined`: this outcome stands. */
async function delayBeforeNext(outcome: Outcome, of: Attempt): Promise<number | undefined> {
  const { attempt, isHarmless, policy } = of;
  const waitMs = backOffMs(attempt, { ...BACK_OFF, random: policy.timing.random() });
  if ('error' in outcome) return isHarmless ? waitMs : undefined;
  const { response } = outcome;
  const { status, headers } = response;
  if (response.ok) return undefined;
  // The code is in the body, and matters for this status alone.
  const code = status === 409 ? (await toKeyfoldError(response.clone())).code : undefined;
  const isAdvised = headers.get('x-should-retry') === 'true';
  if (!mayRetry(status, { headers, code })) return undefined;
  if (!isHarmless && !isAdvised && !REFUSED_STATUSES.includes(status)) return undefined;
  const retryAfterMs = readRetryAfterMs(headers, policy.timing.nowMs());
  if (retryAfterMs === undefined) return waitMs;
  return retryAfterMs > policy.retryAfterMsMax ? undefined : retryAfterMs;
}
