/** An event in which something else stands for each secret that somebody wrote where none belongs. */
import { replaceSecrets } from '../kernel/redact.ts';
import type { AuditDetail, AuditEvent, AuditFact } from './audit-event.ts';

export type StandIn = (secret: string) => string;

export function withoutSecrets(event: AuditEvent, standIn: StandIn): AuditEvent {
  const clean = (text: string) => replaceSecrets(text, standIn);
  return {
    ...event,
    actor: clean(event.actor),
    target: clean(event.target),
    requestId: event.requestId === undefined ? undefined : clean(event.requestId),
    detail: event.detail === undefined ? undefined : cleanDetail(event.detail, clean),
  };
}

function cleanDetail(detail: AuditDetail, clean: (text: string) => string): AuditDetail {
  return Object.fromEntries(
    Object.entries(detail).map(([name, value]) => {
      if (typeof value !== 'object' || value === null || isList(value))
        return [name, cleanFact(value, clean)];
      const facts = Object.entries(value).map(([key, fact]) => [clean(key), cleanFact(fact, clean)] as const);
      return [name, Object.fromEntries(facts)];
    }),
  );
}

function cleanFact(fact: AuditFact, clean: (text: string) => string): AuditFact {
  if (typeof fact === 'string') return clean(fact);
  return isList(fact) ? fact.map(clean) : fact;
}

function isList(value: unknown): value is readonly string[] {
  return Array.isArray(value);
}
