/** Between a key and its database row, whose MAC covers every field that grants something. */
import { type Id, type KeyKind, type Permission, nanos } from '@keyfold/protocol';
import type { Insertable, Selectable } from 'kysely';
import type { MacField, RowMac } from '../sealing/row-mac.ts';
import type { Schema } from '../storage/schema.ts';
import type { Breaker, Key, KeyVersion, MeasuredEstimate, ParentVersion, SigningPolicy } from './key.ts';

export type KeyRow = Selectable<Schema['keys']>;
export type VersionRow = Selectable<Schema['key_versions']>;

export function keyToRow(key: Key, mac: RowMac): Insertable<Schema['keys']> {
  const row = {
    id: key.id,
    organization_id: key.organizationId,
    project_id: key.projectId,
    kind: key.kind,
    name: key.name ?? null,
    permissions: JSON.stringify(key.permissions),
    models: jsonOrNull(key.models),
    networks: jsonOrNull(key.networks),
    requests_per_minute: key.limits.requestsPerMinute ?? null,
    tokens_per_minute: key.limits.tokensPerMinute ?? null,
    concurrent_requests: key.limits.concurrentRequests ?? null,
    not_before: key.notBeforeMs ?? null,
    expires_at: key.expiresAtMs ?? null,
    revoked_at: key.revokedAtMs ?? null,
    quarantined_at: key.quarantinedAtMs ?? null,
    breaker: jsonOrNull(key.breaker),
    signing: jsonOrNull(key.signing),
    parent_id: key.parent?.keyId ?? null,
    parent_version: key.parent?.version ?? null,
    canary: key.isCanary ? 1 : 0,
    estimate: estimateColumn(key.estimate),
    clamp_output: key.clampsOutput ? 1 : null,
    auto_rotate: key.autoRotate ? 1 : 0,
    rotation_interval_s: key.rotationIntervalS,
    metadata: jsonOrNull(key.metadata),
    created_at: key.createdAtMs,
    revision: key.revision,
  };
  return { ...row, mac: mac.sign('keys', macFields(row)) };
}

/** The key, or `undefined` when the row was edited behind Keyfold's back. */
export function keyFromRow(row: KeyRow, mac: RowMac): Key | undefined {
  if (!mac.holds('keys', { fields: macFields(row), mac: row.mac })) return undefined;
  return {
    id: row.id as Id<'key'>,
    organizationId: row.organization_id as Id<'organization'>,
    projectId: row.project_id as Id<'project'>,
    kind: row.kind as KeyKind,
    name: row.name ?? undefined,
    permissions: JSON.parse(row.permissions) as Permission[],
    models: parseOrAbsent<string[]>(row.models),
    networks: parseOrAbsent<string[]>(row.networks),
    limits: {
      requestsPerMinute: numberOrAbsent(row.requests_per_minute),
      tokensPerMinute: numberOrAbsent(row.tokens_per_minute),
      concurrentRequests: numberOrAbsent(row.concurrent_requests),
    },
    notBeforeMs: numberOrAbsent(row.not_before),
    expiresAtMs: numberOrAbsent(row.expires_at),
    revokedAtMs: numberOrAbsent(row.revoked_at),
    quarantinedAtMs: numberOrAbsent(row.quarantined_at),
    breaker: parseOrAbsent<Breaker>(row.breaker),
    signing: parseOrAbsent<SigningPolicy>(row.signing),
    parent: parentOf(row),
    isCanary: row.canary === 1n,
    estimate: readEstimate(row.estimate),
    clampsOutput: row.clamp_output === 1n,
    autoRotate: row.auto_rotate === 1n,
    rotationIntervalS: Number(row.rotation_interval_s),
    metadata: parseOrAbsent<Record<string, string>>(row.metadata),
    createdAtMs: Number(row.created_at),
    revision: Number(row.revision),
  };
}

export function versionToRow(version: KeyVersion, mac: RowMac): Insertable<Schema['key_versions']> {
  const row = {
    id: version.id,
    key_id: version.keyId,
    version: version.version,
    hash: version.hash,
    pepper_version: version.pepperVersion,
    display: version.display,
    created_at: version.createdAtMs,
    expires_at: version.expiresAtMs ?? null,
    rotation_id: version.rotationId ?? null,
    alerted_at: null,
  };
  return { ...row, mac: mac.sign('key_versions', versionMacFields(row)) };
}

/** The version, or `undefined` when the row was edited behind Keyfold's back: else a version could be moved to a better key. */
export function versionFromRow(row: VersionRow, mac: RowMac): KeyVersion | undefined {
  if (!mac.holds('key_versions', { fields: versionMacFields(row), mac: row.mac })) return undefined;
  return {
    hash: row.hash,
    pepperVersion: Number(row.pepper_version),
    id: row.id as Id<'version'>,
    keyId: row.key_id as Id<'key'>,
    version: Number(row.version),
    display: row.display,
    createdAtMs: Number(row.created_at),
    expiresAtMs: numberOrAbsent(row.expires_at),
    rotationId: (row.rotation_id ?? undefined) as Id<'rotation'> | undefined,
  };
}

function versionMacFields(row: Omit<Insertable<Schema['key_versions']>, 'mac'>): readonly MacField[] {
  return [row.id, row.key_id, row.version, row.hash, row.pepper_version, row.expires_at ?? null];
}

/** Everything that decides what the key may do. */
function macFields(row: Omit<Insertable<Schema['keys']>, 'mac' | 'revision'>): readonly MacField[] {
  return [
    row.id,
    row.organization_id,
    row.project_id,
    row.kind,
    row.permissions,
    row.models ?? null,
    row.networks ?? null,
    row.requests_per_minute ?? null,
    row.tokens_per_minute ?? null,
    row.concurrent_requests ?? null,
    row.expires_at ?? null,
    row.revoked_at ?? null,
    row.auto_rotate,
    row.rotation_interval_s,
    ...laterFields(row),
    ...moneyFields(row),
    ...breakerFields(row),
  ];
}

/** Fields that a key may have since schema 2. Where none is set the MAC is that of schema 1, so that older keys stay valid. */
function laterFields(row: Omit<Insertable<Schema['keys']>, 'mac' | 'revision'>): readonly MacField[] {
  const fields = [
    row.not_before ?? null,
    row.quarantined_at ?? null,
    row.signing ?? null,
    row.parent_id ?? null,
    row.parent_version ?? null,
    Number(row.canary) === 0 ? null : 'canary',
  ];
  return fields.every((field) => field === null) ? [] : fields;
}

/** How its calls are paid for: signed where it is set, so that older keys stay valid. */
function moneyFields(row: Omit<Insertable<Schema['keys']>, 'mac' | 'revision'>): readonly MacField[] {
  const estimate = row.estimate ?? null;
  const clamps = row.clamp_output ?? null;
  return estimate === null && clamps === null ? [] : ['money', estimate, clamps];
}

/** What a rule has done to it: signed where it is set, so that older keys stay valid. */
function breakerFields(row: Omit<Insertable<Schema['keys']>, 'mac' | 'revision'>): readonly MacField[] {
  const breaker = row.breaker ?? null;
  return breaker === null ? [] : ['breaker', breaker];
}

function estimateColumn(estimate: MeasuredEstimate | undefined): string | null {
  return estimate === undefined ? null : JSON.stringify([estimate.multiplePercent, String(estimate.floor)]);
}

function readEstimate(column: string | null): MeasuredEstimate | undefined {
  if (column === null) return undefined;
  const [multiplePercent, floor] = JSON.parse(column) as [number, string];
  return { multiplePercent, floor: nanos(BigInt(floor)) };
}

function parentOf(row: KeyRow): ParentVersion | undefined {
  if (row.parent_id === null) return undefined;
  return { keyId: row.parent_id as Id<'key'>, version: Number(row.parent_version) };
}

function jsonOrNull(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

function parseOrAbsent<Value>(text: string | null): Value | undefined {
  return text === null ? undefined : (JSON.parse(text) as Value);
}

function numberOrAbsent(value: bigint | null): number | undefined {
  return value === null ? undefined : Number(value);
}
