/**
 * What the search index knows of a record, and what it is asked for a filter. A term is a hash: the index holds no text of
 * the log, nothing that a user wrote means anything to it, and two texts that share one cost a look at a record too many.
 * Ids, actors and decisions are words of a record, and need no terms of their own.
 */
import { isIPv4 } from 'node:net';
import { type FoundEvent } from '../reading/found-event.ts';
import { type AuditFilter, plainAddress } from './filter.ts';
import { addTexts, splitWords, textsOf } from './words.ts';

/** The record of a call in its short form, as JSON gives it: most of a log, and ten times as fast as any record. */
export type ShortRecord = readonly unknown[];

/** Gathers what a block of records says. Most of them say what others have said: it is hashed once. */
export class BlockTerms {
  readonly #said = new Map<Field, Set<string>>(FIELDS.map((field) => [field, new Set()]));
  readonly #texts = new Set<string>();

  add(event: FoundEvent): void {
    const { actor, action, address, projects, organizationId = '' } = event;
    this.#addDeed({ organizationId, action, actor });
    if (event.decision === 'denied') this.#say('denied actor', actor);
    if (address !== undefined) this.#say('network', address);
    for (const project of projects) this.#say('project', project);
    for (const text of textsOf(event)) this.#texts.add(text);
  }

  /** As `add` for the event that a short record is. */
  addCall(values: ShortRecord, project: string | undefined): void {
    const [, , , organizationId, action, target, actor, requestId, provider, model] = values as string[];
    if (organizationId === undefined || action === undefined || actor === undefined) return;
    this.#addDeed({ organizationId, action, actor });
    if (project !== undefined) this.#say('project', project);
    for (const text of [action, target, actor, requestId, provider, model, 'allowed'])
      this.#texts.add(text ?? '');
    const second = values[ENDING_AT + 1];
    if (action !== 'call.opened') this.#texts.add(String(second));
    else if (typeof second === 'string') {
      this.#say('network', second);
      this.#texts.add(second);
    }
    const last = values.at(-1);
    if (typeof last !== 'object' || last === null || Array.isArray(last)) return;
    const texts: string[] = [];
    addTexts(last as Readonly<Record<string, unknown>>, texts);
    for (const text of texts) this.#texts.add(text);
  }

  render(): string[] {
    for (const text of this.#texts) for (const word of splitWords(text)) this.#say('word', word);
    const terms = new Set<string>();
    for (const [field, values] of this.#said) {
      for (const value of values) for (const wider of widened(field, value)) terms.add(termOf(field, wider));
    }
    return [...terms];
  }

  #addDeed({
    organizationId,
    action,
    actor,
  }: {
    organizationId: string;
    action: string;
    actor: string;
  }): void {
    this.#say('organization', organizationId);
    this.#say('action', action);
    this.#say('actor and action', `${actor} ${action}`);
  }

  #say(field: Field, value: string): void {
    this.#said.get(field)?.add(value);
  }
}

const FIELDS = [
  'organization',
  'action',
  'actor and action',
  'denied actor',
  'network',
  'project',
  'word',
] as const;
type Field = (typeof FIELDS)[number];

/** In a short record, after what all of them say. */
const ENDING_AT = 10;

/** An action is also of its group, and an address of the networks around it. */
function widened(field: Field, value: string): readonly string[] {
  if (field === 'action') return [value, groupOf(value)];
  return field === 'network' ? networksOf(value) : [value];
}

/** Groups of terms: a block with a match has one of each. */
export function termsFor(filter: AuditFilter): string[][] {
  const { organizationId, withUnowned, actions, actor, target, decision, requestId, key } = filter;
  const groups: string[][] = [];
  if (organizationId !== undefined) {
    const owners = withUnowned ? [organizationId, ''] : [organizationId];
    groups.push(owners.map((owner) => termOf('organization', owner)));
  }
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

function networksOf(given: string): string[] {
  const address = plainAddress(given);
  if (!isIPv4(address)) return [address];
  const parts = address.split('.');
  return [address, ...PREFIXES.map((prefix) => parts.slice(0, prefix / 8).join('.'))];
}

/** The smallest network with a term that holds all of it; none where it is wider, or a network of IPv6. */
function networkTerms(network: string): string[][] {
  const [address = '', prefix] = network.split('/');
  const bits = isIPv4(address) ? 32 : 128;
  if (prefix === undefined || Number(prefix) === bits) return [[termOf('network', plainAddress(address))]];
  const known = isIPv4(address) ? PREFIXES.find((each) => each <= Number(prefix)) : undefined;
  if (known === undefined) return [];
  return [
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

/** Two hashes of thirty bits each, as letters and digits. */
function termOf(field: Field, value: string): string {
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
