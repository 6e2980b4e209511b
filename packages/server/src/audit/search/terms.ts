/**
 * What the search index knows of a record, and what it is asked for a filter. A term is a hash: the index holds no text of
 * the log, nothing that a user wrote means anything to it, and two texts that share one cost a look at a record too many.
 */
import type { AuditFilter, FoundEvent } from './filter.ts';
import { keysIn } from './filter.ts';
import { wordsOf } from './words.ts';

/** Adds the terms of a record to those of its block. */
export function addTerms(event: FoundEvent, terms: Set<string>): void {
  const { action, actor } = event;
  terms.add(termOf('organization', event.organizationId ?? ''));
  terms.add(termOf('action', action));
  terms.add(termOf('action', groupOf(action)));
  terms.add(termOf('actor', actor));
  terms.add(termOf('actor and action', `${actor} ${action}`));
  terms.add(termOf('target', event.target));
  terms.add(termOf('decision', event.decision));
  if (event.decision === 'denied') terms.add(termOf('denied actor', actor));
  if (event.requestId !== undefined) terms.add(termOf('request', event.requestId));
  if (event.address !== undefined) terms.add(termOf('address', event.address));
  for (const key of keysIn(event)) terms.add(termOf('key', key));
  for (const project of event.projects) terms.add(termOf('project', project));
  for (const word of wordsOf(event)) terms.add(termOf('word', word));
}

/** Groups of terms: a block with a match has one of each. */
export function termsFor(filter: AuditFilter): string[][] {
  const groups: string[][] = [];
  const { organizationId, actions, actor, decision } = filter;
  if (organizationId !== undefined && !filter.withUnowned)
    groups.push([termOf('organization', organizationId)]);
  if (actions !== undefined) groups.push(actions.map((action) => termOf('action', action)));
  if (actor !== undefined) groups.push(actorTerms(actor, filter));
  if (filter.target !== undefined) groups.push([termOf('target', filter.target)]);
  if (decision !== undefined) groups.push([termOf('decision', decision)]);
  if (filter.requestId !== undefined) groups.push([termOf('request', filter.requestId)]);
  if (filter.key !== undefined) groups.push([termOf('key', filter.key)]);
  if (filter.project !== undefined) groups.push([termOf('project', filter.project)]);
  if (filter.network !== undefined && !filter.network.includes('/'))
    groups.push([termOf('address', filter.network)]);
  for (const word of filter.words ?? []) groups.push([termOf('word', word)]);
  return groups;
}

/** What an actor did, and what it was refused, have terms of their own: both may be rare where the actor is not. */
function actorTerms(actor: string, { actions, decision }: AuditFilter): string[] {
  if (decision === 'denied') return [termOf('denied actor', actor)];
  const exact = actions?.every((action) => !action.endsWith('.*')) === true;
  return exact
    ? actions.map((action) => termOf('actor and action', `${actor} ${action}`))
    : [termOf('actor', actor)];
}

function groupOf(action: string): string {
  return `${action.slice(0, action.indexOf('.'))}.*`;
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const OTHER_OFFSET = 0x9747b28c;
const OTHER_PRIME = 0x5bd1e995;
const RADIX = 36;

/** Two hashes of 32 bits each, as letters and digits: texts that share one term are one in millions of millions. */
function termOf(field: string, value: string): string {
  const text = `${field} ${value}`;
  let first = FNV_OFFSET;
  let second = OTHER_OFFSET;
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    first = Math.imul(first ^ code, FNV_PRIME);
    second = Math.imul(second ^ code, OTHER_PRIME);
    second ^= second >>> 15;
  }
  return (first >>> 0).toString(RADIX) + (second >>> 0).toString(RADIX);
}
