/** What a key is: a stable id with rules, under which versions (the actual secrets) come and go. */
import type { Id, KeyKind, Nanos, Permission, SigningAlgorithm, SigningVersion } from '@keyfold/protocol';
import type { DenialSubject } from '../kernel/denial.ts';

/** Every permission of the key's kind. */
export const EVERY_PERMISSION = '*';

/** Rate rules of a key; what is absent is not limited. */
export interface KeyLimits {
  readonly requestsPerMinute: number | undefined;
  readonly tokensPerMinute: number | undefined;
  readonly concurrentRequests: number | undefined;
}

/** How a key's requests are signed (security.md 4). */
export interface SigningPolicy {
  /** Refuses what is not signed: the bearer key alone is then worth nothing. */
  readonly required: boolean;
  readonly versions: readonly SigningVersion[];
  /** Fixed here and never by a message. `ed25519`: the server holds nothing that could sign. */
  readonly algorithm: SigningAlgorithm;
}

/** How much a key's calls hold: a multiple of what such calls have cost so far, and no less than a floor. */
export interface MeasuredEstimate {
  /** In hundredths. */
  readonly multiplePercent: number;
  readonly floor: Nanos;
}

/** What an alert rule has done to a key, until somebody lifts it. */
export type Breaker = {
  readonly ruleId: Id<'alertRule'>;
  readonly sinceMs: number;
} & ({ readonly state: 'suspended' } | { readonly state: 'throttled'; readonly requestsPerMinute: number });

/** The version of a key that made a child key: the child ends with it. */
export interface ParentVersion {
  readonly keyId: Id<'key'>;
  readonly version: number;
}

export interface Key {
  readonly id: Id<'key'>;
  readonly organizationId: Id<'organization'>;
  readonly projectId: Id<'project'>;
  readonly kind: KeyKind;
  readonly name: string | undefined;
  readonly permissions: readonly (Permission | typeof EVERY_PERMISSION)[];
  /** Exact names, or prefixes that end in `*`; absent: any model. */
  readonly models: readonly string[] | undefined;
  /** CIDRs from which the key may be used; absent: anywhere. */
  readonly networks: readonly string[] | undefined;
  readonly limits: KeyLimits;
  readonly notBeforeMs: number | undefined;
  readonly expiresAtMs: number | undefined;
  readonly revokedAtMs: number | undefined;
  /** Set after a leak: no version works until it is lifted. */
  readonly quarantinedAtMs: number | undefined;
  /** Absent: no rule has stopped it or slowed it down. */
  readonly breaker: Breaker | undefined;
  /** Absent: requests are not signed. */
  readonly signing: SigningPolicy | undefined;
  /** Absent: not a child. */
  readonly parent: ParentVersion | undefined;
  /** A canary never works; whoever presents it has found what was laid out for thieves. */
  readonly isCanary: boolean;
  /** Absent: its calls hold the most that they can cost. */
  readonly estimate: MeasuredEstimate | undefined;
  /** A call that no budget has room for is sent with less output than it asked for, where that fits. */
  readonly clampsOutput: boolean;
  readonly autoRotate: boolean;
  readonly rotationIntervalS: number;
  readonly metadata: Readonly<Record<string, string>> | undefined;
  readonly createdAtMs: number;
  readonly revision: number;
}

export interface KeyVersion {
  /** Finds it: see key-hash.ts. */
  readonly hash: string;
  readonly pepperVersion: number;
  readonly id: Id<'version'>;
  readonly keyId: Id<'key'>;
  readonly version: number;
  /** Prefix, first four and last four characters. */
  readonly display: string;
  readonly createdAtMs: number;
  readonly expiresAtMs: number | undefined;
  /** The rotation that made it; absent for the first. */
  readonly rotationId: Id<'rotation'> | undefined;
}

export interface CountedVersion extends KeyVersion {
  /** Requests that it authenticated; may lag a few seconds behind. */
  readonly uses: number;
  readonly lastUsedAtMs: number | undefined;
}

/** A key with all that it ever had, newest first. */
export interface KeyWithVersions {
  readonly key: Key;
  readonly versions: readonly CountedVersion[];
}

/** Nothing unsigned is accepted: the key's own policy says so, or that of its parent. */
export function mustSign(principal: Pick<Principal, 'key' | 'parent'>): boolean {
  return keysOf(principal).some(({ signing }) => signing?.required === true);
}

/** What most keys are: valid from now on, not signed, nobody's child, no canary, and held for at the worst case. */
export const ORDINARY = {
  notBeforeMs: undefined,
  signing: undefined,
  parent: undefined,
  isCanary: false,
  estimate: undefined,
  clampsOutput: false,
} as const;

/** The keys by whose rules a principal is judged: its own, and of a child its parent, whatever became of it since. */
export function keysOf({ key, parent }: Pick<Principal, 'key' | 'parent'>): readonly Key[] {
  return parent === undefined ? [key] : [key, parent.key];
}

/** Whose limits a principal is under, and which: a key that a rule has throttled has no more than that, too. */
export function limitSubjectsOf(
  principal: Pick<Principal, 'key' | 'parent'>,
): readonly { readonly id: string; readonly limits: KeyLimits }[] {
  return keysOf(principal).map((key) =>
    key.breaker?.state === 'throttled' ? throttled(key, key.breaker) : key,
  );
}

function throttled({ id, limits }: Key, { requestsPerMinute }: { readonly requestsPerMinute: number }) {
  const least = Math.min(limits.requestsPerMinute ?? requestsPerMinute, requestsPerMinute);
  return { id, limits: { ...limits, requestsPerMinute: least } };
}

/** What a refusal says, to the audit log alone, of the key that it is about. */
export function subjectOf({ id, organizationId }: Key): DenialSubject {
  return { keyId: id, organizationId };
}

export function isLive(version: KeyVersion, nowMs: number): boolean {
  return version.expiresAtMs === undefined || version.expiresAtMs > nowMs;
}

/** Who acts: the result of authentication. */
export interface Principal {
  readonly key: Key;
  readonly version: KeyVersion;
  /** Of a child key: whatever its parent may not do, it may not either. */
  readonly parent: { readonly key: Key; readonly version: KeyVersion } | undefined;
  /** The state of the organization that this was read in; a reservation holds only while it still stands. */
  readonly organizationRevision: number;
}
