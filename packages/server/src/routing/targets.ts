/** What a target means in practice: its provider's wire format, and the connections of its credential. */
import type { Credential } from '../credentials/credential.ts';
import { Denial } from '../kernel/denial.ts';
import { Fault } from '../kernel/fault.ts';
import type { Provider } from '../providers/provider.ts';
import { findProvider } from '../providers/registry.ts';
import type { TargetState } from './balance.ts';
import { type Target, targetId } from './target.ts';
import { VENDORS } from './vendors.ts';
import { type AllowedOrigin, checkBaseUrl, parseNetworks } from '../upstream/egress-policy.ts';
import type { OriginPool, UpstreamPools } from '../upstream/pools.ts';
import type { TargetHealth } from '../upstream/target-health.ts';

export class Targets {
  readonly health: TargetHealth;
  readonly #pools: UpstreamPools;
  /** By the credential's cached row, so that its base URL is judged once a row and not once a call. */
  readonly #origins = new WeakMap<Credential, AllowedOrigin>();

  constructor(parts: { readonly pools: UpstreamPools; readonly health: TargetHealth }) {
    this.#pools = parts.pools;
    this.health = parts.health;
  }

  /** A credential that its vendor refuses is out of use with all its models. */
  stateOf(target: Target): TargetState {
    const { credential } = target;
    if (credential === undefined) return { running: 0, isAvailable: true, restMs: 0 };
    const ids = [targetId(target), credential.id];
    return {
      running: this.#pools.callsOf(credential.id),
      isAvailable: ids.every((id) => this.health.isAvailable(id)),
      restMs: Math.max(...ids.map((id) => this.health.healthOf(id).restMs)),
    };
  }

  /** A call is on its way: at a half-open target it is the probe, and keeps others from being sent. */
  began(target: Target): void {
    if (target.credential !== undefined) this.health.began(targetId(target));
  }

  /** It was not sent after all, or tells nothing about the target. */
  gaveUp(target: Target): void {
    if (target.credential !== undefined) this.health.toldNothing(targetId(target));
  }

  providerOf(target: Pick<Target, 'provider'>): Provider {
    const dialect = VENDORS.get(target.provider)?.dialect ?? target.provider;
    const provider = findProvider(dialect);
    if (provider === undefined) throw new Fault('internal', { internal: `no provider speaks ${dialect}` });
    return provider;
  }

  /** Throws `Fault('unavailable')` when egress policy no longer allows what the row says. */
  poolOf(credential: Credential): OriginPool {
    let origin = this.#origins.get(credential);
    if (origin === undefined) {
      origin = judgeOrigin(credential);
      this.#origins.set(credential, origin);
    }
    return this.#pools.poolFor(credential.id, origin);
  }
}

function judgeOrigin(credential: Credential): AllowedOrigin {
  const networks = parseNetworks(credential.allowNetworks);
  const origin = networks instanceof Denial ? networks : checkBaseUrl(credential.baseUrl, networks);
  if (origin instanceof Denial) {
    throw new Fault('unavailable', {
      internal: `egress policy refuses credential ${credential.id}: ${origin.detail.message}`,
    });
  }
  return origin;
}
