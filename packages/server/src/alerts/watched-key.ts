/** Which rules are about a key, worked out once: a call of the key is then judged without looking for them. */
import { isAbout } from './judge-event.ts';
import { type KeyFacts, type Rule, SIGHTING_KINDS, type SightingKind } from './rule.ts';

/** A rule and a key that it is about. The name is built once, since it is looked up for every record. */
export interface Watched {
  readonly rule: Rule;
  /** Of its window, and of its pause. */
  readonly name: string;
}

export interface Subject {
  readonly id: string;
  readonly watched: readonly Watched[];
  /** What its calls are looked at for, by the name that says so once for each record. */
  readonly sightings: readonly { readonly kind: SightingKind; readonly name: string }[];
}

export interface WatchedKey {
  readonly facts: KeyFacts;
  readonly subjects: readonly Subject[];
}

/** The rules of an organization. */
export interface RulesOf {
  readonly events: readonly Rule[];
  /** About what keys do. */
  readonly keys: readonly Rule[];
  readonly byId: ReadonlyMap<string, Rule>;
}

export function sortRules(rules: readonly Rule[]): ReadonlyMap<string, RulesOf> {
  const sorted = new Map<string, RulesOf>();
  for (const [organizationId, all] of Map.groupBy(rules, (rule) => rule.organizationId)) {
    const { events = [], keys = [] } = Object.groupBy(all, ({ when }) =>
      when.kind === 'event' ? 'events' : 'keys',
    );
    sorted.set(organizationId, { events, keys, byId: new Map(all.map((rule) => [rule.id, rule])) });
  }
  return sorted;
}

/** A child's calls count as its parent's, and as its own where a rule names it. */
export function watchKey(keyId: string, facts: KeyFacts, rules: readonly Rule[]): WatchedKey {
  const { parentId } = facts;
  const subject = subjectOf(parentId ?? keyId, facts, rules);
  if (parentId === undefined) return { facts, subjects: [subject] };
  const named = rules.filter(({ scope, scopeIds }) => scope === 'key' && scopeIds.includes(keyId));
  return { facts, subjects: [subject, subjectOf(keyId, facts, named)] };
}

/** A rule that was changed is another: it counts anew, and is not quiet for what it said before. */
export function nameOf({ id, updatedAtMs }: Rule, subject: string): string {
  return `${id} ${updatedAtMs} ${subject}`;
}

function subjectOf(id: string, facts: KeyFacts, rules: readonly Rule[]): Subject {
  const about = rules.filter((rule) => isAbout(rule, id, facts));
  return {
    id,
    watched: about.map((rule) => ({ rule, name: nameOf(rule, id) })),
    sightings: SIGHTING_KINDS.filter((kind) =>
      about.some(({ when }) => when.kind === `first_seen_${kind}`),
    ).map((kind) => ({ kind, name: `${kind} ${id}` })),
  };
}
