/** Issues, rotates, changes and revokes keys. Each returns the steps for one unit of work, and the secret that is shown once. */
import { SECRET_BYTES, displaySecret, formatSecret } from '@keyfold/protocol';
import type { Clock } from '../kernel/clock.ts';
import type { NewId } from '../kernel/new-id.ts';
import type { RandomSource } from '../kernel/random.ts';
import type { SqlStep } from '../storage/statement.ts';
import type { Key, KeyVersion } from './key.ts';
import type { KeyHasher } from './key-hash.ts';
import type { KeyStore, KeyWithVersions } from './key-store.ts';

/** Seconds that a replaced version goes on working unless the caller says otherwise. */
export const GRACE_S_DEFAULT = 300;
export const GRACE_S_MAX = 30 * 86_400;

export type KeyRules = Omit<Key, 'id' | 'createdAtMs' | 'revokedAtMs' | 'revision'>;

export interface IssuedKey {
  readonly key: Key;
  readonly version: KeyVersion;
  /** The key itself. Shown once; only its hash is stored. */
  readonly secret: string;
  readonly steps: readonly SqlStep[];
}

export class KeyIssuer {
  readonly #store: KeyStore;
  readonly #hasher: KeyHasher;
  readonly #clock: Clock;
  readonly #random: RandomSource;
  readonly #newId: NewId;

  constructor(parts: {
    store: KeyStore;
    hasher: KeyHasher;
    clock: Clock;
    random: RandomSource;
    newId: NewId;
  }) {
    this.#store = parts.store;
    this.#hasher = parts.hasher;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#newId = parts.newId;
  }

  issue(rules: KeyRules): IssuedKey {
    const key: Key = {
      ...rules,
      id: this.#newId('key'),
      createdAtMs: this.#clock.nowMs(),
      revokedAtMs: undefined,
      revision: 1,
    };
    const { version, secret } = this.#mint(key, 1);
    return { key, version, secret, steps: this.#store.insertSteps(key, version) };
  }

  /** Adds a version; what was live goes on working for `graceS` seconds. Refused by its guard when two rotations meet. */
  rotate(current: KeyWithVersions, graceS: number): IssuedKey & { readonly previousExpiresAtMs: number } {
    const latest = current.versions[0];
    const next = (latest?.version ?? 0) + 1;
    const { version, secret } = this.#mint(current.key, next);
    const graceEndMs = this.#clock.nowMs() + graceS * 1_000;
    const previousExpiresAtMs = Math.min(graceEndMs, latest?.expiresAtMs ?? graceEndMs);
    const steps = [
      this.#store.updateStep(current.key),
      this.#store.insertVersionStep(version),
      // An end that comes earlier stands.
      ...current.versions
        .filter(({ expiresAtMs }) => (expiresAtMs ?? Infinity) > graceEndMs)
        .map((previous) => this.#store.endVersionStep(previous, graceEndMs)),
    ];
    return { key: current.key, version, secret, steps, previousExpiresAtMs };
  }

  #mint(key: Key, number: number): { version: KeyVersion; secret: string } {
    const secret = formatSecret(key.kind, this.#random.bytes(SECRET_BYTES));
    const nowMs = this.#clock.nowMs();
    const lifeMs = (key.rotationIntervalS + GRACE_S_DEFAULT) * 1_000;
    const version: KeyVersion = {
      id: this.#newId('version'),
      keyId: key.id,
      version: number,
      display: displaySecret(secret),
      createdAtMs: nowMs,
      expiresAtMs: key.autoRotate ? nowMs + lifeMs : undefined,
      hash: this.#hasher.hash(secret),
      pepperVersion: this.#hasher.pepperVersion,
    };
    return { version, secret };
  }
}
