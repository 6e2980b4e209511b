/** What is done about a leaked secret, at once and on every version of its key, as the policy of its organization says. */
import { parseSecret } from '@keyfold/protocol';
import type { KeyHasher } from '../../keys/key-hash.ts';
import type { KeyIssuer } from '../../keys/issue-key.ts';
import type { Key, KeyWithVersions } from '../../keys/key.ts';
import type { KeyStore } from '../../keys/key-store.ts';
import type { Clock } from '../../kernel/clock.ts';
import { redact } from '../../kernel/redact.ts';
import type { SigningSecrets } from '../../signing/signing-secrets.ts';
import type { Step } from '../../storage/statement.ts';
import type { LeakPolicy, ProjectStore } from '../../tenants/project-store.ts';
import type { Change } from '../endpoint.ts';

export interface LeakRooms {
  readonly clock: Clock;
  readonly hasher: KeyHasher;
  readonly issuer: KeyIssuer;
  readonly keys: KeyStore;
  readonly projects: ProjectStore;
  readonly signingSecrets: SigningSecrets;
}

/** What was done: `none` where the secret was worth nothing any more, or never was. */
export type LeakAction = 'quarantined' | 'rotated' | 'revoked' | 'none';

export interface LeakReport {
  readonly secret: string;
  /** Who reported it: `api` or `github`. */
  readonly source: string;
  /** Where it was found, and what else there is to say. */
  readonly url?: string | undefined;
  readonly note?: string | undefined;
}

export interface Containment {
  readonly key: Key;
  /** Which version of the key, or of its signing secret, has leaked. */
  readonly leaked: { readonly kind: 'key' | 'signing_secret'; readonly version: number };
  readonly action: LeakAction;
  readonly steps: readonly Step[];
  readonly event: Change['events'][number];
}

const ACTIONS: Readonly<Record<LeakPolicy, LeakAction>> = {
  quarantine: 'quarantined',
  rotate: 'rotated',
  revoke: 'revoked',
};

/** `undefined`: no secret of ours. */
export async function planContainment(
  rooms: LeakRooms,
  report: LeakReport,
): Promise<Containment | undefined> {
  const found = await findLeaked(rooms, report.secret);
  if (found === undefined) return undefined;
  const { key, leaked, isLive } = found;
  const organization = await rooms.projects.findOrganization(key.key.organizationId);
  const policy = organization?.leakPolicy ?? 'quarantine';
  const isNeeded = isLive && isWorth(key.key, policy);
  const action = isNeeded ? ACTIONS[policy] : 'none';
  return {
    key: key.key,
    leaked,
    action,
    steps: isNeeded ? await containSteps(rooms, key, policy) : [],
    event: {
      action: 'leak.reported',
      target: key.key.id,
      detail: {
        kind: leaked.kind,
        version: leaked.version,
        done: action,
        source: report.source,
        ...(report.url === undefined ? {} : { url: redact(report.url) }),
        ...(report.note === undefined ? {} : { note: redact(report.note) }),
      },
    },
  };
}

interface FoundLeak {
  readonly key: KeyWithVersions;
  readonly leaked: Containment['leaked'];
  /** The version that has leaked has not ended. */
  readonly isLive: boolean;
}

async function findLeaked(rooms: LeakRooms, secret: string): Promise<FoundLeak | undefined> {
  const kind = parseSecret(secret);
  if (kind === undefined) return undefined;
  const version =
    kind === 'sig' ? await rooms.signingSecrets.findBySecret(secret) : await findVersion(rooms, secret);
  if (version === undefined) return undefined;
  const key = await rooms.keys.find(undefined, version.keyId);
  if (key === undefined) return undefined;
  return {
    key,
    leaked: { kind: kind === 'sig' ? 'signing_secret' : 'key', version: version.version },
    isLive: (version.expiresAtMs ?? Infinity) > rooms.clock.nowMs(),
  };
}

async function findVersion(rooms: LeakRooms, secret: string) {
  const principal = await rooms.keys.findByHash(rooms.hasher.hash(secret));
  return principal === undefined || principal === 'tampered' ? undefined : principal.version;
}

/** A canary is meant to be found; what is held or revoked is contained already. An end can be moved, and is no reason. */
function isWorth(key: Key, policy: LeakPolicy): boolean {
  if (key.isCanary || key.revokedAtMs !== undefined) return false;
  return policy !== 'quarantine' || key.quarantinedAtMs === undefined;
}

async function containSteps(rooms: LeakRooms, found: KeyWithVersions, policy: LeakPolicy): Promise<Step[]> {
  const { key } = found;
  const nowMs = rooms.clock.nowMs();
  switch (policy) {
    case 'quarantine':
      return [rooms.keys.updateStep({ ...key, quarantinedAtMs: nowMs })];
    case 'revoke':
      return [rooms.keys.updateStep({ ...key, revokedAtMs: nowMs })];
    case 'rotate':
      return [
        rooms.keys.updateStep(key),
        ...rooms.issuer.endAll(found),
        ...(await rooms.signingSecrets.endAll(key.id)),
      ];
  }
}
