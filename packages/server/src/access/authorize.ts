/** May this principal do this: permissions, models, networks. */
import type { Permission } from '@keyfold/protocol';
import { BlockList } from 'node:net';
import { Denial } from '../kernel/denial.ts';
import { EVERY_PERMISSION, type Key, type Principal, keysOf } from '../keys/key.ts';
import { parseNetwork, plainAddress } from './network.ts';

/** A child key is judged by its parent's rules as well as by its own, whatever became of them since it was made. */
export type Bearer = Pick<Principal, 'key' | 'parent'>;

export function checkPermission(bearer: Bearer, permission: Permission): Denial | undefined {
  if (keysOf(bearer).every((key) => hasPermission(key, permission))) return undefined;
  return new Denial('permission_denied', {
    message: `This key has no permission '${permission}'.`,
    reason: permission,
  });
}

/** What it may do in the end: of a child key, what its parent may as well. */
export function permissionsOf({ key, parent }: Bearer): Key['permissions'] {
  if (parent === undefined) return key.permissions;
  if (key.permissions.includes(EVERY_PERMISSION)) return parent.key.permissions;
  return key.permissions.filter((each) => each !== EVERY_PERMISSION && hasPermission(parent.key, each));
}

/** `names` are all that the model goes by in this call; the key must allow one of them. */
export function checkModel(bearer: Bearer, names: readonly string[]): Denial | undefined {
  const isAllowed = ({ models }: Key) =>
    models === undefined || models.some((pattern) => names.some((name) => matches(pattern, name)));
  return keysOf(bearer).every(isAllowed)
    ? undefined
    : new Denial('model_not_allowed', {
        message: `This key may not use the model '${names[0] ?? ''}'.`,
        param: 'model',
      });
}

/** Caches the compiled list by the key's own array, which lives as long as the cached principal. */
const compiled = new WeakMap<readonly string[], BlockList>();

export function checkNetwork(bearer: Bearer, address: string): Denial | undefined {
  return keysOf(bearer).every((key) => isFrom(key, address))
    ? undefined
    : new Denial('network_not_allowed', { reason: 'network' });
}

function hasPermission(key: Key, permission: Permission): boolean {
  if (key.permissions.includes(permission)) return true;
  const isControl = permission.includes(':');
  return (key.kind === 'admin') === isControl && key.permissions.includes(EVERY_PERMISSION);
}

function isFrom({ networks }: Key, address: string): boolean {
  if (networks === undefined) return true;
  let list = compiled.get(networks);
  if (list === undefined) {
    list = new BlockList();
    for (const cidr of networks) {
      const network = parseNetwork(cidr);
      if (network !== undefined) list.addSubnet(network.address, network.prefix, network.family);
    }
    compiled.set(networks, list);
  }
  const plain = plainAddress(address);
  return plain !== undefined && list.check(plain.address, plain.family);
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}
