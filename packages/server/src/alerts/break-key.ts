/** What a rule's action makes of a key: stopped, slowed down, or as it is. */
import type { Breaker, Key } from '../keys/key.ts';
import type { Rule } from './rule.ts';

/** What a firing has done to its key; `none` also where it had been done before. */
export type Done = 'none' | 'throttled' | 'suspended';

/**
 * The breaker that the key has from now on, `undefined` where nothing changes. Nothing is ever loosened: a suspended key stays
 * so, and of two throttles the tighter holds. An admin key is told of and not touched, since it cannot spend, and whoever
 * could make a rule fire could lock everybody out.
 */
export function breakerAfter(key: Key, rule: Rule, nowMs: number): Breaker | undefined {
  const { action } = rule;
  const { breaker } = key;
  if (key.kind === 'admin' || action.kind === 'none' || breaker?.state === 'suspended') return undefined;
  const by = { ruleId: rule.id, sinceMs: nowMs };
  if (action.kind === 'suspend') return { ...by, state: 'suspended' };
  const { requestsPerMinute } = action;
  if (breaker !== undefined && breaker.requestsPerMinute <= requestsPerMinute) return undefined;
  return { ...by, state: 'throttled', requestsPerMinute };
}

/** For the audit log. */
export function describeBreaker(breaker: Breaker | undefined): Readonly<Record<string, string | number>> {
  if (breaker === undefined) return { state: 'none' };
  const since = new Date(breaker.sinceMs).toISOString();
  const facts = { state: breaker.state, rule_id: breaker.ruleId, since };
  return breaker.state === 'throttled' ? { ...facts, requests_per_minute: breaker.requestsPerMinute } : facts;
}
