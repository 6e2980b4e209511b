/** Rotation: of a key by its owner or by itself, of a replaced version's end, and of what a key signs with. */
import type { KeyWithVersions, Principal } from '../../keys/key.ts';
import { GRACE_S_DEFAULT, GRACE_S_MAX } from '../../keys/issue-key.ts';
import type { KeyStore } from '../../keys/key-store.ts';
import type { VersionEnd } from '../../keys/plan-rotation.ts';
import type { VersionUses } from '../../keys/version-uses.ts';
import { Denial } from '../../kernel/denial.ts';
import type { Database } from '../../storage/database.ts';
import { checkPermission } from '../../access/authorize.ts';
import { checkGrant } from '../../access/grant.ts';
import { type Change, type Endpoint, defineEndpoint, ok } from '../endpoint.ts';
import { type IssueRooms, viewKey } from './issue-key.ts';
import { keyView, renderKey } from './key-view.ts';
import { renderTime } from '../list-page.ts';
import { idParams, z } from '../schemas.ts';
import { readKey } from './signing-input.ts';

export interface RotationRooms extends IssueRooms {
  readonly keys: KeyStore;
  readonly uses: VersionUses;
  readonly database: Database;
}

const TAG = 'Rotation';
const graceS = z.int().min(0).max(GRACE_S_MAX);
const rotateBody = z.strictObject({ grace_seconds: graceS.default(GRACE_S_DEFAULT) }).prefault({});
const versionParams = idParams.extend({ version: z.coerce.number().int().min(1) });
const graceBody = z.strictObject({ grace_seconds: graceS });
const rotated = z.object({
  key_id: z.string(),
  version: z.number(),
  previous_expires_at: z.string(),
  rotation_id: z.string(),
});
const rotatedKey = rotated.extend({
  new_api_key: z.string(),
  signing_secret: z.string().optional(),
  expires_at: z.string().nullable(),
});

/** Served wherever a key may ask about itself. */
export function selfRotationEndpoint(rooms: RotationRooms): Endpoint {
  return defineEndpoint({
    method: 'post',
    path: '/v1/keys/self/rotate',
    permission: undefined,
    tag: TAG,
    summary: 'A key renews itself: where it rotates automatically, or may rotate keys.',
    body: rotateBody,
    response: { status: 200, schema: rotatedKey },
    handle: ({ principal, body }) => rotateSelf(rooms, principal, body.grace_seconds),
  });
}

export function rotationEndpoints(rooms: RotationRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'post',
      path: '/v1/keys/{id}/rotate',
      permission: 'keys:rotate',
      tag: TAG,
      summary: 'Add a version; the one before it goes on working for a grace period.',
      params: idParams,
      body: rotateBody,
      response: { status: 200, schema: rotatedKey },
      handle: async ({ principal, params, body }) => {
        const found = await findToRotate(rooms, principal, params.id);
        return found instanceof Denial
          ? found
          : rotate(rooms, found, { graceS: body.grace_seconds, replacesUnused: false });
      },
    }),
    defineEndpoint({
      method: 'patch',
      path: '/v1/keys/{id}/versions/{version}',
      permission: 'keys:rotate',
      tag: TAG,
      summary: 'Give a replaced version another end: this many seconds from now, 0 for at once.',
      params: versionParams,
      body: graceBody,
      response: { status: 200, schema: keyView },
      handle: async ({ principal, params, body }) => {
        const found = await findToRotate(rooms, principal, params.id);
        return found instanceof Denial
          ? found
          : endVersion(rooms, found, { version: params.version, graceS: body.grace_seconds });
      },
    }),
    defineEndpoint({
      method: 'patch',
      path: '/v1/keys/{id}/signing-secrets/{version}',
      permission: 'keys:rotate',
      tag: TAG,
      summary: 'Give a replaced signing secret another end: this many seconds from now, 0 for at once.',
      params: versionParams,
      body: graceBody,
      response: { status: 200, schema: keyView },
      handle: async ({ principal, params, body }) => {
        const found = await findToRotate(rooms, principal, params.id);
        return found instanceof Denial
          ? found
          : endSigningSecret(rooms, found, { version: params.version, graceS: body.grace_seconds });
      },
    }),
    defineEndpoint({
      method: 'post',
      path: '/v1/keys/{id}/signing-secret/rotate',
      permission: 'keys:rotate',
      tag: TAG,
      summary: 'Replace what a key signs with; both are accepted for a grace period.',
      params: idParams,
      body: z
        .strictObject({
          grace_seconds: graceS.default(GRACE_S_DEFAULT),
          public_key: z.string().max(100).optional(),
        })
        .prefault({}),
      response: { status: 200, schema: rotated.extend({ signing_secret: z.string().optional() }) },
      handle: async ({ principal, params, body }) => {
        const found = await findToRotate(rooms, principal, params.id);
        return found instanceof Denial ? found : rotateSigningSecret(rooms, found, body);
      },
    }),
  ];
}

async function findToRotate(
  rooms: RotationRooms,
  principal: Principal,
  id: string,
): Promise<KeyWithVersions | Denial> {
  const found = await findCounted(rooms, principal, id);
  if (found === undefined) return new Denial('not_found');
  if (found.key.revokedAtMs !== undefined) return new Denial('conflict', { message: 'The key is revoked.' });
  // Whoever rotates holds the new secret: it must not be worth more than what they may do themselves.
  return checkGrant(principal, found.key) ?? found;
}

/** Whether a version is in use decides what becomes of it, so what this process has counted of it is written first. */
async function findCounted(
  rooms: RotationRooms,
  { key }: Principal,
  id: string,
): Promise<KeyWithVersions | undefined> {
  const found = await rooms.keys.find(key.organizationId, id);
  if (found === undefined) return undefined;
  const secrets = await rooms.signingSecrets.list([found.key.id]);
  await rooms.uses.flushOf([...found.versions, ...secrets].map((version) => version.id));
  await rooms.database.barrier();
  return rooms.keys.find(key.organizationId, id);
}

async function rotateSelf(
  rooms: RotationRooms,
  principal: Principal,
  graceS: number,
): Promise<Change | Denial> {
  const { key, version, parent } = principal;
  const mayRotate = key.autoRotate || checkPermission(principal, 'keys:rotate') === undefined;
  if (!mayRotate || parent !== undefined) {
    return new Denial('permission_denied', {
      message:
        'This key does not renew itself: it has no auto_rotate. Whoever has keys:rotate may rotate it.',
    });
  }
  const found = await findToRotate(rooms, principal, key.id);
  if (found instanceof Denial) return found;
  const [newest] = found.versions;
  if (newest !== undefined && newest.version !== version.version && newest.uses > 0) {
    return new Denial('conflict', {
      message: `Version ${newest.version} of this key is in use: only the newest version renews the key.`,
    });
  }
  return rotate(rooms, found, { graceS, replacesUnused: true });
}

async function rotate(
  rooms: RotationRooms,
  found: KeyWithVersions,
  of: { readonly graceS: number; readonly replacesUnused: boolean },
): Promise<Change | Denial> {
  const rotationId = rooms.newId('rotation');
  const rotated = rooms.issuer.rotate(found, { ...of, rotationId });
  if (rotated instanceof Denial) return rotated;
  const { key, version } = rotated;
  const signing = await rooms.signingSecrets.replaceEnded(key);
  return {
    steps: [...rotated.steps, ...(signing?.steps ?? [])],
    events: [
      {
        action: 'key.rotated',
        target: key.id,
        detail: { version: version.version, grace_seconds: of.graceS, rotation_id: rotationId },
      },
    ],
    reply: ok({
      new_api_key: rotated.secret,
      ...(signing?.secret === undefined ? {} : { signing_secret: signing.secret }),
      key_id: key.id,
      version: version.version,
      expires_at: renderTime(version.expiresAtMs),
      previous_expires_at: renderTime(rotated.previousExpiresAtMs),
      rotation_id: rotationId,
    }),
  };
}

async function endVersion(
  rooms: RotationRooms,
  found: KeyWithVersions,
  of: VersionEnd,
): Promise<Change | Denial> {
  const ended = rooms.issuer.endVersion(found, of);
  if (ended instanceof Denial) return ended;
  const { version } = ended;
  const versions = found.versions.map((each) => (each.id === version.id ? version : each));
  return {
    steps: ended.steps,
    events: [
      {
        action: 'key.version_end_set',
        target: found.key.id,
        detail: { version: of.version, grace_seconds: of.graceS },
      },
    ],
    reply: ok(await viewKey(rooms, { key: found.key, versions })),
  };
}

async function endSigningSecret(
  rooms: RotationRooms,
  { key, versions }: KeyWithVersions,
  of: VersionEnd,
): Promise<Change | Denial> {
  const ended = await rooms.signingSecrets.endVersion(key.id, of);
  if (ended instanceof Denial) return ended;
  const budgets = await rooms.budgets.statesOf(await rooms.budgets.load([key.id]));
  return {
    steps: [rooms.keys.updateStep(key), ...ended.steps],
    events: [
      {
        action: 'signing_secret.end_set',
        target: key.id,
        detail: { version: of.version, grace_seconds: of.graceS },
      },
    ],
    reply: ok(renderKey(key, { versions, budgets, secrets: ended.versions })),
  };
}

async function rotateSigningSecret(
  rooms: RotationRooms,
  { key }: KeyWithVersions,
  body: { readonly grace_seconds: number; readonly public_key?: string | undefined },
): Promise<Change | Denial> {
  if (key.signing === undefined) {
    return new Denial('conflict', { message: 'The key does not sign: set its signing policy first.' });
  }
  const publicKey = readKey(body.public_key, {
    isEd25519: key.signing.algorithm === 'ed25519',
    param: 'public_key',
  });
  if (publicKey instanceof Denial) return publicKey;
  const rotated = await rooms.signingSecrets.rotate(key, { graceS: body.grace_seconds, publicKey });
  if (rotated instanceof Denial) return rotated;
  const { version } = rotated.signingSecret;
  const rotationId = rooms.newId('rotation');
  return {
    steps: [rooms.keys.updateStep(key), ...rotated.steps],
    events: [
      {
        action: 'signing_secret.rotated',
        target: key.id,
        detail: { version, grace_seconds: body.grace_seconds, rotation_id: rotationId },
      },
    ],
    reply: ok({
      ...(rotated.secret === undefined ? {} : { signing_secret: rotated.secret }),
      key_id: key.id,
      version,
      previous_expires_at: renderTime(rotated.previousExpiresAtMs),
      rotation_id: rotationId,
    }),
  };
}
