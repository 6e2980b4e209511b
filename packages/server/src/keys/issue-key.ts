/** Issues and rotates keys. Each returns the steps for one unit of work, and the secret that is shown once. */
import { SECRET_BYTES, displaySecret, formatSecret } from '@keyfold/protocol';
import type { Clock } from '../kernel/clock.ts';
import { Denial } from '../kernel/denial.ts';
import type { NewId } from '../kernel/new-id.ts';
import type { RandomSource } from '../kernel/random.ts';
import type { SqlStep } from '../storage/statement.ts';
import { type CountedVersion, type Key, type KeyVersion, type KeyWithVersions, isLive } from './key.ts';
import type { KeyHasher } from './key-hash.ts';
import type { KeyStore } from './key-store.ts';
import { type RotationRequest, type VersionEnd, planEnd, planRotation } from './plan-rotation.ts';

/** Seconds that a replaced version goes on working unless the caller says otherwise. */
export const GRACE_S_DEFAULT = 300;
export const GRACE_S_MAX = 30 * 86_400;

export type KeyRules = Omit<
  Key,
  'id' | 'createdAtMs' | 'revokedAtMs' | 'quarantinedAtMs' | 'breaker' | 'revision'
>;

export interface IssuedKey {
  readonly key: Key;
  readonly version: KeyVersion;
  /** The key itself. Shown once; only its hash is stored. */
  readonly secret: string;
  readonly steps: readonly SqlStep[];
}

export interface RotatedKey extends IssuedKey {
  /** When the version before it ends; now when there is none that goes on. */
  readonly previousExpiresAtMs: number;
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
      quarantinedAtMs: undefined,
      breaker: undefined,
      revision: 1,
    };
    const { version, secret } = this.#mint(key, { number: 1, rotationId: undefined });
    return { key, version, secret, steps: this.#store.insertSteps(key, version) };
  }

  /** Adds a version; the one before it goes on working for `graceS` seconds, as `planRotation` says. */
  rotate(
    current: KeyWithVersions,
    of: Omit<RotationRequest, 'nowMs'> & { readonly rotationId: KeyVersion['rotationId'] },
  ): RotatedKey | Denial {
    const plan = planRotation(current.versions, { ...of, nowMs: this.#clock.nowMs() });
    if (plan instanceof Denial) return plan;
    const { version, secret } = this.#mint(current.key, { number: plan.next, rotationId: of.rotationId });
    const steps = [
      this.#store.updateStep(current.key),
      this.#store.insertVersionStep(version),
      ...plan.ends.map((end) => this.#store.endVersionStep(end.version, end.atMs)),
    ];
    return { key: current.key, version, secret, steps, previousExpiresAtMs: plan.previousExpiresAtMs };
  }

  /** Gives a version that was replaced, or was never used, another end. */
  endVersion(
    current: KeyWithVersions,
    of: VersionEnd,
  ): { readonly version: CountedVersion; readonly steps: readonly SqlStep[] } | Denial {
    const end = planEnd(current.versions, { ...of, nowMs: this.#clock.nowMs() });
    if (end instanceof Denial) return end;
    return {
      version: { ...end.version, expiresAtMs: end.atMs },
      steps: [this.#store.updateStep(current.key), this.#store.endVersionStep(end.version, end.atMs)],
    };
  }

  /** Ends every version at once; the next rotation gives the key a fresh one. */
  endAll(current: KeyWithVersions): readonly SqlStep[] {
    const nowMs = this.#clock.nowMs();
    return current.versions
      .filter((version) => isLive(version, nowMs))
      .map((version) => this.#store.endVersionStep(version, nowMs));
  }

  #mint(
    key: Key,
    of: { readonly number: number; readonly rotationId: KeyVersion['rotationId'] },
  ): { version: KeyVersion; secret: string } {
    const secret = formatSecret(key.kind, this.#random.bytes(SECRET_BYTES));
    const nowMs = this.#clock.nowMs();
    const lifeMs = (key.rotationIntervalS + GRACE_S_DEFAULT) * 1_000;
    const version: KeyVersion = {
      id: this.#newId('version'),
      keyId: key.id,
      version: of.number,
      display: displaySecret(secret),
      createdAtMs: nowMs,
      expiresAtMs: key.autoRotate ? nowMs + lifeMs : undefined,
      hash: this.#hasher.hash(secret),
      pepperVersion: this.#hasher.pepperVersion,
      rotationId: of.rotationId,
    };
    return { version, secret };
  }
}
