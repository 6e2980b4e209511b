/** What a key is at this moment, and which of its versions still work, in words for people. */
import { type JsonObject, memberAt, objectsOf } from '../remote/json.ts';

export type VersionState = 'current' | 'in grace' | 'ended';

/** `active`, or all that keeps the key from working: `revoked, expired`. */
export function stateOf(key: JsonObject): string {
  const versions = objectsOf(key['versions']);
  const states = [
    ...(isText(key['revoked_at']) ? ['revoked'] : []),
    ...(isText(key['quarantined_at']) ? ['quarantined'] : []),
    ...(memberAt(key, 'breaker.state') === 'suspended' ? ['suspended'] : []),
    ...(isOver(key['expires_at']) ? ['expired'] : []),
    ...(isText(key['not_before']) && !isOver(key['not_before']) ? ['not yet valid'] : []),
    ...(key['canary'] === true ? ['canary'] : []),
  ];
  if (states.length > 0) return states.join(', ');
  // After a leak, or where nobody renewed the last one: the key is there, and nothing opens with it.
  const isWithout = versions.length > 0 && versions.every((version) => isOver(version['expires_at']));
  return isWithout ? 'no live version' : 'active';
}

/** The versions of a key or of its signing secret, each with its `state`. */
export function withStates(versions: readonly JsonObject[]): (JsonObject & { state: VersionState })[] {
  const newest = newestOf(versions);
  return versions.map((version) => ({ ...version, state: versionState(version, newest) }));
}

export function newestOf(versions: readonly JsonObject[]): JsonObject | undefined {
  return versions.reduce<JsonObject | undefined>(
    (newest, version) => (Number(version['version']) > Number(newest?.['version'] ?? 0) ? version : newest),
    undefined,
  );
}

/** Whether this time of RFC 3339 has come; what is none has not. */
export function isOver(time: unknown): boolean {
  return isText(time) && Date.parse(time) <= Date.now();
}

function versionState(version: JsonObject, newest: JsonObject | undefined): VersionState {
  if (isOver(version['expires_at'])) return 'ended';
  return version === newest ? 'current' : 'in grace';
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}
