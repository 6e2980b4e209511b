/**
 * Is a child key within its parent? What is wider is refused here, where it can be said; that it could do nothing with it
 * is seen to at every call, which is judged by the rules of both.
 */
import { BlockList } from 'node:net';
import { Denial } from '../kernel/denial.ts';
import { EVERY_PERMISSION, type Key, type KeyLimits } from '../keys/key.ts';
import { parseNetwork } from './network.ts';

type Rules = Pick<Key, 'kind' | 'permissions' | 'models' | 'networks' | 'limits'>;

const LIMITS = ['requestsPerMinute', 'tokensPerMinute', 'concurrentRequests'] as const;
const LIMIT_FIELDS: Readonly<Record<(typeof LIMITS)[number], string>> = {
  requestsPerMinute: 'limits.requests_per_minute',
  tokensPerMinute: 'limits.tokens_per_minute',
  concurrentRequests: 'limits.concurrent_requests',
};

export function checkNarrower(parent: Rules, child: Rules): Denial | undefined {
  const permission = child.permissions.find((each) => !hasPermission(parent, each));
  if (permission !== undefined) return refuse('permissions', `its parent has no permission '${permission}'`);
  const model = uncovered(parent.models, child.models, coversModel);
  if (model !== undefined) return refuse('models', `its parent may not use ${model}`);
  const network = uncovered(parent.networks, child.networks, coversNetwork);
  if (network !== undefined) return refuse('networks', `its parent may not be used from ${network}`);
  const limit = LIMITS.find((name) => isAbove(child.limits, parent.limits, name));
  return limit === undefined
    ? undefined
    : refuse(LIMIT_FIELDS[limit], `its parent's limit is ${parent.limits[limit] ?? 0}`);
}

function hasPermission(parent: Rules, permission: Rules['permissions'][number]): boolean {
  if (parent.permissions.includes(permission)) return true;
  const ofKind = permission !== EVERY_PERMISSION && permission.includes(':') === (parent.kind === 'admin');
  return ofKind && parent.permissions.includes(EVERY_PERMISSION);
}

/** The first of the child's entries that none of the parent's covers; absent entries mean anything. */
function uncovered(
  parents: readonly string[] | undefined,
  children: readonly string[] | undefined,
  covers: (parent: string, child: string) => boolean,
): string | undefined {
  if (parents === undefined) return undefined;
  if (children === undefined) return 'everything else';
  const child = children.find((each) => !parents.some((parent) => covers(parent, each)));
  return child === undefined ? undefined : `'${child}'`;
}

function coversModel(parent: string, child: string): boolean {
  return parent === child || (parent.endsWith('*') && child.startsWith(parent.slice(0, -1)));
}

function coversNetwork(parent: string, child: string): boolean {
  const [outer, inner] = [parseNetwork(parent), parseNetwork(child)];
  if (outer === undefined || inner === undefined) return false;
  if (outer.family !== inner.family || inner.prefix < outer.prefix) return false;
  const list = new BlockList();
  list.addSubnet(outer.address, outer.prefix, outer.family);
  return list.check(inner.address, inner.family);
}

function isAbove(child: KeyLimits, parent: KeyLimits, name: (typeof LIMITS)[number]): boolean {
  const [own, most] = [child[name], parent[name]];
  return own !== undefined && most !== undefined && own > most;
}

function refuse(param: string, problem: string): Denial {
  return new Denial('permission_denied', {
    message: `A child key may not be wider than its parent: ${problem}.`,
    param,
  });
}
