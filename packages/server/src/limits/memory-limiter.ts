/** `Limiter` in this process's memory: exact for one process, and the synchronous fast path of the call. */
import type { Clock } from '../kernel/clock.ts';
import { Denial } from '../kernel/denial.ts';
import type { Admission, LimitRules, LimitState, LimitSubject, Limiter, RateState } from './limiter.ts';
import { TokenBucket } from './token-bucket.ts';

/** Keys whose state is kept. Beyond it, full and idle entries, which say no more than absent ones, are dropped. */
const SUBJECTS_MAX = 100_000;

interface Subject {
  requests: TokenBucket | undefined;
  tokens: TokenBucket | undefined;
  running: number;
}

export class MemoryLimiter implements Limiter {
  readonly #clock: Clock;
  readonly #subjects = new Map<string, Subject>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  admit(subjects: readonly LimitSubject[], tokens: number): Admission | Denial {
    const nowMs = this.#clock.monotonicMs();
    const found = this.#find(subjects, nowMs);
    for (const [index, subject] of found.entries()) {
      const rules = subjects[index]?.limits;
      const denial = rules === undefined ? undefined : refusal(subject, { rules, tokens }, nowMs);
      if (denial !== undefined) return denial;
    }
    for (const subject of found) {
      subject.requests?.take(1, nowMs);
      subject.tokens?.take(tokens, nowMs);
      subject.running++;
    }
    return this.#admission(found, tokens, nowMs);
  }

  peek(subjects: readonly LimitSubject[]): LimitState {
    const nowMs = this.#clock.monotonicMs();
    return stateOf(this.#find(subjects, nowMs), nowMs);
  }

  #admission(subjects: readonly Subject[], estimated: number, nowMs: number): Admission {
    let isOver = false;
    const end = (returned: { requests: number; tokens: number }) => {
      if (isOver) return;
      isOver = true;
      const endMs = this.#clock.monotonicMs();
      for (const subject of subjects) {
        subject.running--;
        if (returned.requests !== 0) subject.requests?.take(-returned.requests, endMs);
        if (returned.tokens !== 0) subject.tokens?.take(-returned.tokens, endMs);
      }
    };
    return {
      state: stateOf(subjects, nowMs),
      finish: (tokens) => end({ requests: 0, tokens: tokens === undefined ? 0 : estimated - tokens }),
      cancel: () => end({ requests: 1, tokens: estimated }),
    };
  }

  /** Room is made before any is looked up: what was found for this call must not be dropped for its next. */
  #find(subjects: readonly LimitSubject[], nowMs: number): Subject[] {
    this.#makeRoom(nowMs);
    return subjects.map(({ id, limits }) => this.#subject(id, limits, nowMs));
  }

  #subject(name: string, rules: LimitRules, nowMs: number): Subject {
    let subject = this.#subjects.get(name);
    if (subject === undefined) {
      subject = { requests: undefined, tokens: undefined, running: 0 };
      this.#subjects.set(name, subject);
    }
    subject.requests = fitted(subject.requests, rules.requestsPerMinute, nowMs);
    subject.tokens = fitted(subject.tokens, rules.tokensPerMinute, nowMs);
    return subject;
  }

  #makeRoom(nowMs: number): void {
    if (this.#subjects.size < SUBJECTS_MAX) return;
    for (const [name, subject] of this.#subjects) {
      const isIdle =
        subject.running === 0 &&
        subject.requests?.isFull(nowMs) !== false &&
        subject.tokens?.isFull(nowMs) !== false;
      if (isIdle) this.#subjects.delete(name);
    }
  }
}

function refusal(
  subject: Subject,
  demand: { readonly rules: LimitRules; readonly tokens: number },
  nowMs: number,
): Denial | undefined {
  const concurrent = demand.rules.concurrentRequests;
  if (concurrent !== undefined && subject.running >= concurrent) {
    return new Denial('concurrency_exceeded', {
      message: `${concurrent} calls of this key are running, which is its limit.`,
      retryAfterMs: 1_000,
      facts: { limit: 'concurrent_requests', limit_value: concurrent },
    });
  }
  return (
    rateRefusal(subject.requests, { amount: 1, unit: 'requests' }, nowMs) ??
    rateRefusal(subject.tokens, { amount: demand.tokens, unit: 'tokens' }, nowMs)
  );
}

function rateRefusal(
  bucket: TokenBucket | undefined,
  demand: { readonly amount: number; readonly unit: 'requests' | 'tokens' },
  nowMs: number,
): Denial | undefined {
  const waitMs = bucket === undefined ? 0 : bucket.waitMs(demand.amount, nowMs);
  if (bucket === undefined || waitMs === 0) return undefined;
  const facts = { limit: `${demand.unit}_per_minute`, limit_value: bucket.perMinute };
  if (waitMs === undefined) {
    return new Denial('rate_limit_exceeded', {
      message: `This call may need ${demand.amount} tokens; the key's limit is ${bucket.perMinute} a minute. Lower max_tokens or shorten the input.`,
      facts,
    });
  }
  return new Denial('rate_limit_exceeded', {
    message: `The key's limit of ${bucket.perMinute} ${demand.unit} a minute is reached.`,
    retryAfterMs: waitMs,
    facts,
  });
}

/** The bucket for a rule; a changed rule takes effect at once with what was used carried over. */
function fitted(
  bucket: TokenBucket | undefined,
  perMinute: number | undefined,
  nowMs: number,
): TokenBucket | undefined {
  if (perMinute === undefined) return undefined;
  if (bucket?.perMinute === perMinute) return bucket;
  const fresh = new TokenBucket(perMinute, nowMs);
  if (bucket !== undefined) fresh.take(bucket.perMinute - bucket.remaining(nowMs), nowMs);
  return fresh;
}

/** The tightest of each rate. */
function stateOf(subjects: readonly Subject[], nowMs: number): LimitState {
  let requests: RateState | undefined;
  let tokens: RateState | undefined;
  for (const subject of subjects) {
    requests = tighter(requests, rateState(subject.requests, nowMs));
    tokens = tighter(tokens, rateState(subject.tokens, nowMs));
  }
  return { requests, tokens };
}

function tighter(one: RateState | undefined, other: RateState | undefined): RateState | undefined {
  return one === undefined || (other !== undefined && other.remaining < one.remaining) ? other : one;
}

function rateState(bucket: TokenBucket | undefined, nowMs: number): RateState | undefined {
  if (bucket === undefined) return undefined;
  return { limit: bucket.perMinute, remaining: bucket.remaining(nowMs), resetMs: bucket.resetMs(nowMs) };
}
