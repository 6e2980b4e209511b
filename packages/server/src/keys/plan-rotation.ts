/** What a rotation does to the versions before it, of a key and of a signing secret alike. */
import { Denial } from '../kernel/denial.ts';

/** Another end for one version: so many seconds from now. */
export interface VersionEnd {
  readonly version: number;
  readonly graceS: number;
}

export interface Rotatable {
  readonly version: number;
  readonly expiresAtMs: number | undefined;
  readonly uses: number;
}

export interface RotationPlan<Version> {
  /** The number of the new version. */
  readonly next: number;
  readonly ends: readonly { readonly version: Version; readonly atMs: number }[];
  /** When the one that goes on ends; now when there is none. */
  readonly previousExpiresAtMs: number;
}

export interface RotationRequest {
  readonly graceS: number;
  readonly nowMs: number;
  /** The holder of the older version asks, and nobody has used the newer one: its answer was lost, and it is replaced. */
  readonly replacesUnused: boolean;
}

/**
 * At most two versions are live: while one is in its grace a rotation is refused, since a grace that was promised is kept.
 * A grace of 0 ends all that was before. `versions` are newest first.
 */
export function planRotation<Version extends Rotatable>(
  versions: readonly Version[],
  request: RotationRequest,
): RotationPlan<Version> | Denial {
  const { graceS, nowMs } = request;
  const live = versions.filter(({ expiresAtMs }) => (expiresAtMs ?? Infinity) > nowMs);
  const kept = graceS === 0 ? undefined : keptVersion(live, request);
  if (kept instanceof Denial) return kept;
  // An end that comes earlier stands.
  const graceEndMs = Math.min(nowMs + graceS * 1_000, kept?.expiresAtMs ?? Infinity);
  return {
    next: (versions[0]?.version ?? 0) + 1,
    ends: live.map((version) => ({ version, atMs: version === kept ? graceEndMs : nowMs })),
    previousExpiresAtMs: kept === undefined ? nowMs : graceEndMs,
  };
}

/** Another end for a version that was replaced, or that nobody has used. `versions` are newest first. */
export function planEnd<Version extends Rotatable>(
  versions: readonly Version[],
  of: VersionEnd & { readonly nowMs: number },
): { readonly version: Version; readonly atMs: number } | Denial {
  const version = versions.find((each) => each.version === of.version);
  if (version === undefined) return new Denial('not_found', { message: 'There is no such version.' });
  if (version === versions[0] && version.uses > 0) {
    return new Denial('conflict', {
      message: 'This is the newest version, and in use: rotate to replace it, or revoke the key.',
    });
  }
  if ((version.expiresAtMs ?? Infinity) <= of.nowMs) {
    return new Denial('conflict', { message: 'The version has ended, and does not come back.' });
  }
  return { version, atMs: of.nowMs + of.graceS * 1_000 };
}

/** Which of the live versions their holders go on using. */
function keptVersion<Version extends Rotatable>(
  live: readonly Version[],
  { replacesUnused, nowMs }: RotationRequest,
): Version | undefined | Denial {
  const [newest, older] = live;
  if (newest === undefined || older === undefined) return newest;
  if (replacesUnused && newest.uses === 0) return older;
  const endMs = older.expiresAtMs ?? nowMs;
  const until = new Date(endMs).toISOString();
  return new Denial('conflict', {
    retryAfterMs: endMs - nowMs,
    facts: { newest_version: newest.version, version_in_grace: older.version, grace_ends_at: until },
    message: `Version ${newest.version} is already there, and version ${older.version} in its grace until ${until}. Wait, end one of them early, or rotate with a grace of 0, which ends both.`,
  });
}
