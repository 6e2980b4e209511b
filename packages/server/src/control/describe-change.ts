/** What a change has changed: of two views of the same thing the facts that differ, as an audit event tells them. */
import type { AuditDetail, AuditFact } from '../audit/audit-event.ts';
import type { Json } from './endpoint.ts';

/** What changes by itself with every change, or has events of its own. */
const NOT_TOLD: ReadonlySet<string> = new Set([
  'object',
  'id',
  'version',
  'versions',
  'budgets',
  'secrets',
  'health',
  'previous_expires_at',
  'created_at',
  'updated_at',
]);

/** Facts within facts stand as `limits.requests_per_minute`; what is not there is null. */
export function describeChange(before: Json, after: Json): AuditDetail {
  const [was, is] = [factsOf(before), factsOf(after)];
  const changed = [...new Set([...was.keys(), ...is.keys()])].filter(
    (name) => JSON.stringify(was.get(name) ?? null) !== JSON.stringify(is.get(name) ?? null),
  );
  const pick = (facts: ReadonlyMap<string, AuditFact>) =>
    Object.fromEntries(changed.map((name) => [name, facts.get(name) ?? null]));
  return { before: pick(was), after: pick(is) };
}

function factsOf(view: Json, prefix = '', facts = new Map<string, AuditFact>()): Map<string, AuditFact> {
  if (typeof view !== 'object' || view === null || Array.isArray(view)) return facts;
  for (const [name, value] of Object.entries(view)) {
    if (value === undefined || NOT_TOLD.has(name)) continue;
    const full = prefix + name;
    if (Array.isArray(value)) {
      facts.set(
        full,
        value.map((each) => (typeof each === 'string' ? each : JSON.stringify(each))),
      );
    } else if (typeof value === 'object' && value !== null) factsOf(value, `${full}.`, facts);
    else facts.set(full, value);
  }
  return facts;
}
