/** What a key is: a stable id with rules, under which versions (the actual secrets) come and go. */
import type { Id, KeyKind, Permission } from '@keyfold/protocol';

/** Every permission of the key's kind. */
export const EVERY_PERMISSION = '*';

/** Rate rules of a key; what is absent is not limited. */
export interface KeyLimits {
  readonly requestsPerMinute: number | undefined;
  readonly tokensPerMinute: number | undefined;
  readonly concurrentRequests: number | undefined;
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
  readonly expiresAtMs: number | undefined;
  readonly revokedAtMs: number | undefined;
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
}

/** Who acts: the result of authentication. */
export interface Principal {
  readonly key: Key;
  readonly version: KeyVersion;
  /** The state of the organization that this was read in; a reservation holds only while it still stands. */
  readonly organizationRevision: number;
}
