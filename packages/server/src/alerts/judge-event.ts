/** Which records a rule about events is about, and which key a record is about. */
import type { StoredEvent } from '../audit/stored-event.ts';
import { type Condition, type KeyFacts, NEVER_OBSERVED, type Rule } from './rule.ts';

const REFUSALS_BY_ACTOR: readonly string[] = ['call.refused', 'control.refused'];
const REFUSALS_BY_TARGET = 'unauthenticated.refused';
/** Refusals that a rule itself has caused say nothing new. */
const CAUSED_BY_RULE = 'key_suspended';

export function isKeyId(id: string): boolean {
  return id.startsWith('key_');
}

export function eventMatches(when: Extract<Condition, { kind: 'event' }>, event: StoredEvent): boolean {
  return (
    event.action !== NEVER_OBSERVED &&
    when.actions.includes(event.action) &&
    (when.decision ?? event.decision) === event.decision &&
    (when.actor ?? event.actor) === event.actor
  );
}

/** The key that was acted on; else the one that acted; else what was acted on. */
export function eventSubject({ actor, target }: StoredEvent): string {
  return !isKeyId(target) && isKeyId(actor) ? actor : target;
}

/** The key that was refused something. */
export function refusedKey({ action, actor, target, detail }: StoredEvent): string | undefined {
  if (detail['code'] === CAUSED_BY_RULE) return undefined;
  const keyId = action === REFUSALS_BY_TARGET ? target : REFUSALS_BY_ACTOR.includes(action) ? actor : '';
  return isKeyId(keyId) ? keyId : undefined;
}

/** `facts`: of the key that the subject is, or of its child. */
export function isAbout({ scope, scopeIds }: Rule, subject: string, facts: KeyFacts | undefined): boolean {
  switch (scope) {
    case 'organization':
      return true;
    case 'project':
      return facts !== undefined && scopeIds.includes(facts.projectId);
    case 'key':
      return scopeIds.includes(subject);
  }
}
