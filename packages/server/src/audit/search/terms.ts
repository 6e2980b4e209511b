/**
 * What the search index knows of a record, and what it is asked for a filter. A term is a hash: the index holds no text of
 * the log, nothing that a user wrote means anything to it, and two texts that share one cost a look at a record too many.
 * Ids, actors and decisions are words of a record, and need no terms of their own.
 */
import { isIPv4 } from 'node:net';
import type { AuditFilter, FoundEvent } from './filter.ts';
import { addTexts, splitWords, wordsOf } from './words.ts';

/** Adds the terms of a record to those of its block. */
export function addTerms(event: FoundEvent, terms: Set<string>): void {
  const { actor, action, address, projects } = event;
  addDeed(event, terms);
  if (event.decision === 'denied') terms.add(termOf('denied actor', actor));
  terms.add(termOf('actor and action', `${actor} ${action}`));
  if (address !== undefined) addNetworks(address, terms);
  for (const project of projects) terms.add(termOf('project', project));
  for (const word of wordsOf(event)) terms.add(termOf('word', word));
}

/** The record of a call in its short form, as JSON gives it: most of a log, and ten times as fast as any record. */
export type ShortRecord = readonly unknown[];

/** As `addTerms` for the event that a short record is. */
export function addCallTerms(values: ShortRecord, project: string | undefined, terms: Set<string>): void {
  const [, , , organizationId, action, target, actor, requestId, provider, model, ...ending] =
    values.map(String);
  if (organizationId === undefined || action === undefined || actor === undefined) return;
  addDeed({ organizationId, action }, terms);
  terms.add(termOf('actor and action', `${actor} ${action}`));
  if (project !== undefined) terms.add(termOf('project', project));
  for (const text of [action, 'allowed', target, actor, requestId, provider, model])
    addWords(text ?? '', terms);
  const told = values.slice(values.length - ending.length);
  const isOpened = action === 'call.opened';
  const [, second] = told;
  if (isOpened && typeof second === 'string') {
    addNetworks(second, terms);
    addWords(second, terms);
  }
  if (!isOpened) addWords(String(second), terms);
  const last = told.at(-1);
  if (typeof last !== 'object' || last === null || Array.isArray(last)) return;
  const texts: string[] = [];
  addTexts(last as Readonly<Record<string, unknown>>, texts);
  for (const text of texts) addWords(text, terms);
}

function addDeed(of: { organizationId: string | undefined; action: string }, terms: Set<string>): void {
  terms.add(termOf('organization', of.organizationId ?? ''));
  terms.add(termOf('action', of.action));
  terms.add(termOf('action', groupOf(of.action)));
}

function addNetworks(address: string, terms: Set<string>): void {
  for (const network of networksOf(address)) terms.add(termOf('network', network));
}

/** An id is one word as it stands, which need not be looked for. */
const ONE_WORD = /^[\da-z_]{1,64}$/;

function addWords(text: string, terms: Set<string>): void {
  if (ONE_WORD.test(text)) terms.add(termOf('word', text));
  else for (const word of splitWords(text)) terms.add(termOf('word', word));
}

/** Groups of terms: a block with a match has one of each. */
export function termsFor(filter: AuditFilter): string[][] {
  const { organizationId, withUnowned, actions, actor, target, decision, requestId, key } = filter;
  const groups: string[][] = [];
  if (organizationId !== undefined && !withUnowned) groups.push([termOf('organization', organizationId)]);
  if (actions !== undefined) groups.push(actions.map((action) => termOf('action', action)));
  if (actor !== undefined) groups.push(...actorTerms(actor, filter));
  if (filter.project !== undefined) groups.push([termOf('project', filter.project)]);
  if (filter.network !== undefined) groups.push(...networkTerms(filter.network));
  const texts = [actor, target, decision, requestId, key].filter((text) => text !== undefined);
  for (const word of [...texts.flatMap(splitWords), ...(filter.words ?? [])])
    groups.push([termOf('word', word)]);
  return groups;
}

/** What an actor did, and what it was refused, have terms of their own: both may be rare where the actor is not. */
function actorTerms(actor: string, { actions, decision }: AuditFilter): string[][] {
  const groups: string[][] = [];
  if (decision === 'denied') groups.push([termOf('denied actor', actor)]);
  const isExact = actions?.every((action) => !action.endsWith('.*')) === true;
  if (isExact) groups.push(actions.map((action) => termOf('actor and action', `${actor} ${action}`)));
  return groups;
}

/** The networks around an IPv4 address that have terms; of IPv6 the address alone has one. */
const PREFIXES = [24, 16] as const;

function networksOf(address: string): string[] {
  if (!isIPv4(address)) return [address];
  const parts = address.split('.');
  return [address, ...PREFIXES.map((prefix) => parts.slice(0, prefix / 8).join('.'))];
}

/** The smallest network with a term that holds all of it; none where it is wider. */
function networkTerms(network: string): string[][] {
  const [address = '', prefix] = network.split('/');
  if (prefix === undefined) return isIPv4(address) ? [[termOf('network', address)]] : [];
  if (!isIPv4(address)) return [];
  const known = PREFIXES.find((each) => each <= Number(prefix));
  return known === undefined
    ? []
    : [
        [
          termOf(
            'network',
            address
              .split('.')
              .slice(0, known / 8)
              .join('.'),
          ),
        ],
      ];
}

function groupOf(action: string): string {
  return `${action.slice(0, action.indexOf('.'))}.*`;
}

const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;
const OTHER_OFFSET = 0x9747b28c;
const OTHER_PRIME = 0x5bd1e995;

/** 26 letters and six digits: what both databases take for one word. */
const LETTERS = 'abcdefghijklmnopqrstuvwxyz234567';
const LETTERS_PER_HASH = 6;

type Field = 'organization' | 'action' | 'actor and action' | 'denied actor' | 'network' | 'project' | 'word';

/** Most of what records say they have said before: its terms are remembered. */
const REMEMBERED_MAX = 20_000;
const remembered = new Map<Field, Map<string, string>>();

function termOf(field: Field, value: string): string {
  let terms = remembered.get(field);
  if (terms === undefined || terms.size >= REMEMBERED_MAX) {
    terms = new Map();
    remembered.set(field, terms);
  }
  let term = terms.get(value);
  if (term === undefined) {
    term = hashOf(field, value);
    terms.set(value, term);
  }
  return term;
}

/** Two hashes of thirty bits each, as letters and digits. */
function hashOf(field: Field, value: string): string {
  let first = FNV_OFFSET;
  let second = OTHER_OFFSET;
  for (const text of [field, value]) {
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index);
      first = Math.imul(first ^ code, FNV_PRIME);
      second = Math.imul(second ^ code, OTHER_PRIME);
      second ^= second >>> 15;
    }
  }
  return lettersOf(first) + lettersOf(second);
}

function lettersOf(hash: number): string {
  let text = '';
  for (let place = 0; place < LETTERS_PER_HASH; place++) text += LETTERS[(hash >>> (5 * place)) & 31];
  return text;
}
