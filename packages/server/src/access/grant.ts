/** What one principal may grant to a key: never more than it may do itself, nor for longer, nor from elsewhere. */
import { Denial } from '../kernel/denial.ts';
import { EVERY_PERMISSION, type Key, type Principal } from '../keys/key.ts';
import { checkPermission } from './authorize.ts';

export type Grant = Pick<Key, 'kind' | 'permissions' | 'networks' | 'expiresAtMs' | 'signing'>;

/** Whoever creates, changes or rotates a key holds or shapes its secret, so the key must not be worth more than they are. */
export function checkGrant(principal: Principal, granted: Grant): Denial | undefined {
  const isAdmin = granted.kind === 'admin';
  for (const permission of granted.permissions) {
    if (permission === EVERY_PERMISSION) {
      if (!isAdmin || principal.key.permissions.includes(EVERY_PERMISSION)) continue;
      return refuse('permissions', "Only a key with '*' may grant '*'.");
    }
    if (permission.includes(':') !== isAdmin) {
      const kinds = isAdmin
        ? "'admin' keys take noun:verb permissions"
        : `'${granted.kind}' keys take data-plane permissions`;
      return new Denial('invalid_request', {
        message: `${kinds}; '${permission}' is not one.`,
        param: 'permissions',
      });
    }
    if (isAdmin && checkPermission(principal, permission) !== undefined) {
      return refuse('permissions', `You may not grant '${permission}', which you do not have.`);
    }
  }
  return isAdmin ? checkBounds(principal.key, granted) : undefined;
}

/** An admin key that ends, or that is bound to networks, cannot make itself one that is not. */
function checkBounds(own: Key, granted: Grant): Denial | undefined {
  if (own.expiresAtMs !== undefined && (granted.expiresAtMs ?? Infinity) > own.expiresAtMs) {
    return refuse('expires_at', 'An admin key may not outlive the key that grants it.');
  }
  const { networks } = own;
  if (
    networks !== undefined &&
    !(granted.networks?.every((network) => networks.includes(network)) ?? false)
  ) {
    return refuse('networks', 'An admin key takes its networks from those of the key that grants it.');
  }
  if (own.signing?.required === true && granted.signing?.required !== true) {
    return refuse('signing', 'An admin key that must sign grants none that need not.');
  }
  return undefined;
}

function refuse(param: string, message: string): Denial {
  return new Denial('permission_denied', { message, param });
}
