/** What a search or a live stream asks for, and whether a record is it: the one judgement, whatever found the record. */
import { BlockList, isIP } from 'node:net';
import { type FoundEvent, keysIn } from '../reading/found-event.ts';
import { wordsOf } from './words.ts';

/** Everything that is given must hold. Plain data: it crosses to another thread. */
export interface AuditFilter {
  /** Whose records; `undefined` for everybody's. */
  readonly organizationId: string | undefined;
  /** Also the records that belong to no organization. */
  readonly withUnowned: boolean;
  /** Actions, or groups of them such as `key.*`; one of them must be it. */
  readonly actions?: readonly string[] | undefined;
  readonly actor?: string | undefined;
  /** A key that acted or was acted on. */
  readonly key?: string | undefined;
  /** A project that is the target, or that such a key is in. */
  readonly project?: string | undefined;
  readonly target?: string | undefined;
  readonly decision?: string | undefined;
  readonly requestId?: string | undefined;
  /** An address, or a network as `203.0.113.0/24`. */
  readonly network?: string | undefined;
  readonly fromMs?: number | undefined;
  /** Before it. */
  readonly toMs?: number | undefined;
  /** As `splitWords` gives them; all must be in the record. */
  readonly words?: readonly string[] | undefined;
}

export type Matches = (event: FoundEvent) => boolean;

/** The filter as a function. Its network must have passed `isNetwork`. */
export function compileFilter(filter: AuditFilter): Matches {
  const tests = [owns(filter), ...factTests(filter), ...timeTests(filter)];
  const { words = [] } = filter;
  if (words.length > 0) {
    tests.push((event) => {
      const has = wordsOf(event);
      return words.every((word) => has.has(word));
    });
  }
  return (event) => tests.every((test) => test(event));
}

function owns({ organizationId, withUnowned }: AuditFilter): Matches {
  return (event) =>
    event.organizationId === undefined
      ? withUnowned
      : organizationId === undefined || event.organizationId === organizationId;
}

function factTests(filter: AuditFilter): Matches[] {
  const { actions, actor, target, decision, requestId, key, project, network } = filter;
  const tests: Matches[] = [];
  if (actions !== undefined) {
    const isAction = compileActions(actions);
    tests.push((event) => isAction(event.action));
  }
  if (actor !== undefined) tests.push((event) => event.actor === actor);
  if (target !== undefined) tests.push((event) => event.target === target);
  if (decision !== undefined) tests.push((event) => event.decision === decision);
  if (requestId !== undefined) tests.push((event) => event.requestId === requestId);
  if (key !== undefined) tests.push((event) => keysIn(event).includes(key));
  if (project !== undefined) tests.push((event) => event.projects.includes(project));
  if (network !== undefined) {
    const isFrom = compileNetwork(network);
    tests.push(({ address }) => address !== undefined && isFrom(address));
  }
  return tests;
}

function timeTests({ fromMs, toMs }: AuditFilter): Matches[] {
  return [
    ...(fromMs === undefined ? [] : [(event: FoundEvent) => event.timeMs >= fromMs]),
    ...(toMs === undefined ? [] : [(event: FoundEvent) => event.timeMs < toMs]),
  ];
}

/** An address, or a CIDR network. */
export function isNetwork(text: string): boolean {
  try {
    compileNetwork(text);
    return true;
  } catch {
    return false;
  }
}

function compileActions(actions: readonly string[]): (action: string) => boolean {
  const exact = new Set(actions.filter((each) => !each.endsWith('.*')));
  const groups = actions.filter((each) => each.endsWith('.*')).map((each) => each.slice(0, -1));
  return (action) => exact.has(action) || groups.some((group) => action.startsWith(group));
}

function compileNetwork(text: string): (address: string) => boolean {
  const [address = '', prefix, ...rest] = text.split('/');
  const family = familyOf(address);
  const bits = family === 'ipv4' ? 32 : 128;
  if (family === undefined || rest.length > 0) throw new RangeError(`${text} is no network`);
  if (prefix !== undefined && !/^\d{1,3}$/.test(prefix)) throw new RangeError(`${text} is no network`);
  const list = new BlockList();
  list.addSubnet(address, prefix === undefined ? bits : Number(prefix), family);
  return (given) => {
    const each = plainAddress(given);
    return familyOf(each) === family && list.check(each, family);
  };
}

const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** An address in one spelling: IPv4 as itself where it is mapped into IPv6, which is shortened and in small letters. */
export function plainAddress(text: string): string {
  const mapped = MAPPED.exec(text)?.[1];
  if (mapped !== undefined) return mapped;
  if (familyOf(text) !== 'ipv6') return text;
  return new URL(`http://[${text}]`).hostname.slice(1, -1);
}

function familyOf(address: string): 'ipv4' | 'ipv6' | undefined {
  const version = address.includes('%') ? 0 : isIP(address);
  return version === 4 ? 'ipv4' : version === 6 ? 'ipv6' : undefined;
}
