/** May this principal do this: permissions, models, networks. */
import type { Permission } from '@keyfold/protocol';
import { BlockList } from 'node:net';
import { Denial } from '../kernel/denial.ts';
import { EVERY_PERMISSION, type Key } from '../keys/key.ts';
import { parseNetwork, plainAddress } from './network.ts';

export function checkPermission(key: Key, permission: Permission): Denial | undefined {
  if (key.permissions.includes(permission)) return undefined;
  const isControl = permission.includes(':');
  if ((key.kind === 'admin') === isControl && key.permissions.includes(EVERY_PERMISSION)) return undefined;
  return new Denial('permission_denied', {
    message: `This key has no permission '${permission}'.`,
    reason: permission,
  });
}

/** `names` are all that the model goes by in this call; the key must allow one of them. */
export function checkModel(key: Key, names: readonly string[]): Denial | undefined {
  if (key.models === undefined) return undefined;
  const isAllowed = key.models.some((pattern) => names.some((name) => matches(pattern, name)));
  return isAllowed
    ? undefined
    : new Denial('model_not_allowed', {
        message: `This key may not use the model '${names[0] ?? ''}'.`,
        param: 'model',
      });
}

/** Caches the compiled list by the key's own array, which lives as long as the cached principal. */
const compiled = new WeakMap<readonly string[], BlockList>();

export function checkNetwork(key: Key, address: string): Denial | undefined {
  if (key.networks === undefined) return undefined;
  let list = compiled.get(key.networks);
  if (list === undefined) {
    list = new BlockList();
    for (const cidr of key.networks) {
      const network = parseNetwork(cidr);
      if (network !== undefined) list.addSubnet(network.address, network.prefix, network.family);
    }
    compiled.set(key.networks, list);
  }
  const plain = plainAddress(address);
  if (plain !== undefined && list.check(plain.address, plain.family)) return undefined;
  return new Denial('network_not_allowed', { reason: 'network' });
}

function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : pattern === name;
}
