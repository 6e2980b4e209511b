/** Responsible for where webhooks lead: their URLs judged at every delivery, and few connections to each. */
import { Denial } from '../kernel/denial.ts';
import type { ResolveAll } from './dialer.ts';
import {
  type AllowedNetworks,
  type AllowedOrigin,
  OF_WEBHOOK,
  checkBaseUrl,
  readNetworks,
} from './egress-policy.ts';
import { DEFAULT_POOL_LIMITS, type OriginPool, UpstreamPools } from './pools.ts';

const LIMITS = { ...DEFAULT_POOL_LIMITS, connectionsMax: 2, callsMax: 8, poolsMax: 64 };

export class WebhookPools {
  readonly #networks: AllowedNetworks;
  readonly #pools: UpstreamPools;

  /** `networks`: what the setting `webhook_networks` says. */
  constructor(networks: readonly string[], resolveAll?: ResolveAll) {
    this.#networks = readNetworks(networks);
    this.#pools = new UpstreamPools(LIMITS, resolveAll);
  }

  check(url: string): AllowedOrigin | Denial {
    return checkBaseUrl(url, this.#networks, OF_WEBHOOK);
  }

  /** A denial when the URL may not be reached any more. */
  poolFor(webhookId: string, url: string): OriginPool | Denial {
    const target = this.check(url);
    return target instanceof Denial ? target : this.#pools.poolFor(webhookId, target);
  }

  forget(webhookId: string): void {
    this.#pools.forget(webhookId);
  }

  destroy(): Promise<void> {
    return this.#pools.destroy();
  }
}
