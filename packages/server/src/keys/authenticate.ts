/** The one door: a presented secret becomes a principal, or is refused. */
import { parseSecret } from '@keyfold/protocol';
import type { Clock } from '../kernel/clock.ts';
import { Denial } from '../kernel/denial.ts';
import { ExpiringCache } from '../kernel/expiring-cache.ts';
import type { Principal } from './key.ts';
import type { KeyHasher } from './key-hash.ts';
import type { KeyStore } from './key-store.ts';

/** How long a change made by another process may go unseen here. Reservations check the revision and never lag. */
const CACHE = { entriesMax: 10_000, ttlMs: 1_000 };

export class Authenticator {
  readonly #store: KeyStore;
  readonly #hasher: KeyHasher;
  readonly #clock: Clock;
  readonly #principals: ExpiringCache<Principal>;
  #generation = 0;
  readonly #loading = new Map<string, Promise<Principal | Denial>>();

  constructor(parts: { store: KeyStore; hasher: KeyHasher; clock: Clock }) {
    this.#store = parts.store;
    this.#hasher = parts.hasher;
    this.#clock = parts.clock;
    this.#principals = new ExpiringCache(CACHE, parts.clock);
  }

  /** A secret without the right shape and checksum is refused before anything is looked up. */
  async authenticate(secret: string | undefined): Promise<Principal | Denial> {
    const kind = secret === undefined ? undefined : parseSecret(secret);
    if (secret === undefined || kind === undefined || kind === 'sig') {
      return new Denial('invalid_api_key', { reason: secret === undefined ? 'no key' : 'malformed key' });
    }
    const hash = this.#hasher.hash(secret);
    const principal = this.#principals.get(hash) ?? (await this.#loadOnce(hash));
    return principal instanceof Denial ? principal : this.#checkLife(principal);
  }

  /** Forgets every cached principal: called after each change that this process makes. */
  forget(): void {
    this.#principals.clear();
    // What is being read now may be older than the change.
    this.#loading.clear();
    this.#generation++;
  }

  /** Those who present the same key at once wait for one look at the database. */
  #loadOnce(hash: string): Promise<Principal | Denial> {
    let loading = this.#loading.get(hash);
    if (loading === undefined) {
      loading = this.#load(hash).finally(() => this.#loading.delete(hash));
      this.#loading.set(hash, loading);
    }
    return loading;
  }

  async #load(hash: string): Promise<Principal | Denial> {
    const generation = this.#generation;
    const found = await this.#store.findByHash(hash);
    if (found === undefined) return new Denial('invalid_api_key', { reason: 'unknown key' });
    if (found === 'tampered') return new Denial('invalid_api_key', { reason: 'row edited outside Keyfold' });
    if (generation === this.#generation) this.#principals.set(hash, found);
    return found;
  }

  #checkLife(principal: Principal): Principal | Denial {
    const nowMs = this.#clock.nowMs();
    if (principal.key.revokedAtMs !== undefined) return new Denial('key_revoked');
    const ends = [principal.key.expiresAtMs, principal.version.expiresAtMs];
    if (ends.some((endMs) => endMs !== undefined && endMs <= nowMs)) return new Denial('key_expired');
    return principal;
  }
}
