/** Finds who a secret, or the key id of a signature, belongs to, and refuses what is not alive. */
import { parseSecret } from '@keyfold/protocol';
import type { Clock } from '../kernel/clock.ts';
import { Denial } from '../kernel/denial.ts';
import { ExpiringCache } from '../kernel/expiring-cache.ts';
import { type Key, type Principal, isLive, subjectOf } from './key.ts';
import type { KeyHasher } from './key-hash.ts';
import type { KeyStore } from './key-store.ts';

/** How long a change made by another process may go unseen here. Reservations check the revision and never lag. */
const CACHE = { entriesMax: 10_000, ttlMs: 1_000 };
const KEY_ID = /^key_[0-9a-z]{26}$/;

type Found = Principal | 'tampered' | undefined;

export class Authenticator {
  readonly #store: KeyStore;
  readonly #hasher: KeyHasher;
  readonly #clock: Clock;
  /** By the hash of a secret, or by a key's id. */
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
  authenticate(secret: string | undefined): Promise<Principal | Denial> {
    const kind = secret === undefined ? undefined : parseSecret(secret);
    if (secret === undefined || kind === undefined || kind === 'sig') {
      const reason = secret === undefined ? 'no key' : 'malformed key';
      return Promise.resolve(new Denial('invalid_api_key', { reason }));
    }
    const hash = this.#hasher.hash(secret);
    return this.#find(hash, () => this.#store.findByHash(hash));
  }

  /** Whose id this is. Proves nothing: what is signed must still be verified. */
  identify(keyId: string): Promise<Principal | Denial> {
    if (!KEY_ID.test(keyId)) {
      return Promise.resolve(new Denial('invalid_api_key', { reason: 'malformed key id' }));
    }
    return this.#find(keyId, () => this.#store.findById(keyId, this.#clock.nowMs()));
  }

  /** Forgets every cached principal: called after each change that this process makes. */
  forget(): void {
    this.#principals.clear();
    // What is being read now may be older than the change.
    this.#loading.clear();
    this.#generation++;
  }

  async #find(name: string, load: () => Promise<Found>): Promise<Principal | Denial> {
    const principal = this.#principals.get(name) ?? (await this.#loadOnce(name, load));
    return principal instanceof Denial ? principal : this.checkLife(principal);
  }

  /** Those who present the same key at once wait for one look at the database. */
  #loadOnce(name: string, load: () => Promise<Found>): Promise<Principal | Denial> {
    let loading = this.#loading.get(name);
    if (loading === undefined) {
      loading = this.#load(name, load).finally(() => this.#loading.delete(name));
      this.#loading.set(name, loading);
    }
    return loading;
  }

  async #load(name: string, load: () => Promise<Found>): Promise<Principal | Denial> {
    const generation = this.#generation;
    const found = await load();
    if (found === undefined) return new Denial('invalid_api_key', { reason: 'unknown key' });
    if (found === 'tampered') return new Denial('invalid_api_key', { reason: 'row edited outside Keyfold' });
    // A canary is looked up each time, as what is unknown is: else it could be told by how fast it is refused.
    if (generation === this.#generation && !found.key.isCanary) this.#principals.set(name, found);
    return found;
  }

  /** The same principal, unless it has ended since. */
  checkLife(principal: Principal): Principal | Denial {
    const { key, version, parent } = principal;
    const nowMs = this.#clock.nowMs();
    const ended = endOf(key, nowMs) ?? (parent === undefined ? undefined : endOf(parent.key, nowMs));
    if (ended !== undefined) return ended;
    if (!isLive(version, nowMs) || (parent !== undefined && !isLive(parent.version, nowMs))) {
      return new Denial('key_expired', { reason: 'version ended', subject: subjectOf(key) });
    }
    return principal;
  }
}

/** Why a key does not work now; what was done to it comes before what its dates say. */
function endOf(key: Key, nowMs: number): Denial | undefined {
  const subject = subjectOf(key);
  if (key.isCanary) return new Denial('invalid_api_key', { reason: 'canary', subject, isAlarm: true });
  if (key.revokedAtMs !== undefined) return new Denial('key_revoked', { subject });
  if (key.quarantinedAtMs !== undefined) return new Denial('key_quarantined', { subject });
  if (key.breaker?.state === 'suspended') {
    return new Denial('key_suspended', { reason: key.breaker.ruleId, subject });
  }
  if (key.notBeforeMs !== undefined && key.notBeforeMs > nowMs)
    return new Denial('key_not_yet_valid', { subject });
  if (key.expiresAtMs !== undefined && key.expiresAtMs <= nowMs)
    return new Denial('key_expired', { subject });
  return undefined;
}
