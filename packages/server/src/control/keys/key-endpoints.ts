/** Keys: create, list, show, update, revoke. */
import type { KeyRules } from '../../keys/issue-key.ts';
import type { Key, Principal } from '../../keys/key.ts';
import type { KeyStore } from '../../keys/key-store.ts';
import { Denial } from '../../kernel/denial.ts';
import { checkGrant } from '../../access/grant.ts';
import { checkNarrower } from '../../access/narrower.ts';
import { planBudgets } from '../money/budget-plan.ts';
import { describeChange } from '../describe-change.ts';
import { type Change, type Endpoint, defineEndpoint, ok } from '../endpoint.ts';
import { type IssueRooms, budgetInput, issueKey, keyScope, limitsOf, viewKey } from './issue-key.ts';
import { NO_LIMITS } from '../limits.ts';
import {
  type CreateKeyBody,
  ROTATION_INTERVAL_S_DEFAULT,
  type UpdateKeyBody,
  createKeyBody,
  readEstimate,
  updateKeyBody,
} from './key-input.ts';
import { keyView, renderKey } from './key-view.ts';
import { renderPage } from '../list-page.ts';
import type { ProjectStore } from '../../tenants/project-store.ts';
import { idParams, listOf, listQuery, z } from '../schemas.ts';
import { planSigning, readSigning } from './signing-input.ts';

export interface KeyRooms extends IssueRooms {
  readonly keys: KeyStore;
  readonly projects: ProjectStore;
}

const TAG = 'Keys';
const createdKey = keyView.extend({ api_key: z.string(), signing_secret: z.string().optional() });

export function keyEndpoints(rooms: KeyRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'post',
      path: '/v1/keys',
      permission: 'keys:write',
      tag: TAG,
      summary: 'Create a key. The key itself is in the answer, once.',
      body: createKeyBody,
      response: { status: 201, schema: createdKey },
      handle: ({ principal, body }) => createKey(rooms, principal, body),
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/keys',
      permission: 'keys:read',
      tag: TAG,
      summary: 'List keys, newest first; the children of one where it is named, and else none.',
      query: listQuery.extend({
        parent_id: z.string().max(100).optional(),
        project_id: z.string().max(100).optional(),
        kind: z.string().max(10).optional(),
      }),
      response: { status: 200, schema: listOf(keyView) },
      handle: async ({ principal, query }) => {
        const { organizationId } = principal.key;
        const found = await rooms.keys.list({
          organizationId,
          projectId: query.project_id,
          parentId: query.parent_id,
          ...query,
        });
        const ids = found.map(({ key }) => key.id);
        const states = await rooms.budgets.statesOf(await rooms.budgets.load(ids));
        const secrets = await rooms.signingSecrets.list(ids);
        return ok(
          renderPage(found, query, {
            id: ({ key }) => key.id,
            view: ({ key, versions }) =>
              renderKey(key, {
                versions,
                budgets: states.filter((state) => state.budget.scopeId === key.id),
                secrets: secrets.filter(({ keyId }) => keyId === key.id),
              }),
          }),
        );
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/keys/{id}',
      permission: 'keys:read',
      tag: TAG,
      summary: 'Show a key.',
      params: idParams,
      response: { status: 200, schema: keyView },
      handle: async ({ principal, params }) => {
        const found = await rooms.keys.find(principal.key.organizationId, params.id);
        if (found === undefined) return new Denial('not_found');
        return ok(await viewKey(rooms, found));
      },
    }),
    defineEndpoint({
      method: 'patch',
      path: '/v1/keys/{id}',
      permission: 'keys:write',
      tag: TAG,
      summary: 'Change a key. What is not named stays; null removes.',
      params: idParams,
      body: updateKeyBody,
      response: { status: 200, schema: keyView },
      handle: ({ principal, params, body }) => updateKey(rooms, principal, { id: params.id, body }),
    }),
    defineEndpoint({
      method: 'delete',
      path: '/v1/keys/{id}',
      permission: 'keys:revoke',
      tag: TAG,
      summary: 'Revoke a key and every version of it, at once and for good.',
      params: idParams,
      response: { status: 200, schema: keyView },
      handle: ({ principal, params }) => revokeKey(rooms, principal, params.id),
    }),
  ];
}

async function createKey(
  rooms: KeyRooms,
  principal: Principal,
  body: CreateKeyBody,
): Promise<Change | Denial> {
  const project = await rooms.projects.find(
    principal.key.organizationId,
    body.project_id ?? principal.key.projectId,
  );
  if (project === undefined)
    return new Denial('not_found', { message: 'There is no such project.', param: 'project_id' });
  const signing = readSigning(body.signing ?? undefined, body.kind);
  if (signing instanceof Denial) return signing;
  const rules: KeyRules = {
    organizationId: principal.key.organizationId,
    projectId: project.id,
    kind: body.kind,
    name: body.name ?? undefined,
    permissions: body.permissions,
    models: body.models ?? undefined,
    networks: body.networks ?? undefined,
    limits: limitsOf(NO_LIMITS, body),
    notBeforeMs: body.not_before ?? undefined,
    expiresAtMs: body.expires_at ?? undefined,
    signing: signing?.policy,
    parent: undefined,
    isCanary: body.canary,
    estimate: readEstimate(body, undefined),
    clampsOutput: body.clamp_output ?? false,
    autoRotate: body.auto_rotate ?? false,
    rotationIntervalS: body.rotation_interval ?? ROTATION_INTERVAL_S_DEFAULT,
    metadata: body.metadata ?? undefined,
  };
  const refused = checkGrant(principal, rules) ?? checkLife(rules);
  if (refused !== undefined) return refused;
  const detail = { kind: body.kind, permissions: body.permissions, ...(body.canary ? { canary: true } : {}) };
  return issueKey(rooms, { rules, publicKey: signing?.publicKey, budgets: budgetInput(body), detail });
}

async function updateKey(
  rooms: KeyRooms,
  principal: Principal,
  of: { readonly id: string; readonly body: UpdateKeyBody },
): Promise<Change | Denial> {
  const { body } = of;
  const found = await rooms.keys.find(principal.key.organizationId, of.id);
  if (found === undefined) return new Denial('not_found');
  const before = found.key;
  if (before.revokedAtMs !== undefined) return new Denial('conflict', { message: 'The key is revoked.' });
  const fixed = before.parent === undefined ? undefined : refuseFixed(body);
  if (fixed !== undefined) return fixed;
  const signing = await planSigning(rooms, before, body.signing);
  if (signing instanceof Denial) return signing;
  const key = {
    ...changed(before, body),
    quarantinedAtMs: quarantineOf(rooms, before, body),
    signing: signing.policy,
  };
  const refused = checkGrant(principal, key) ?? checkLife(key) ?? (await checkParent(rooms, key));
  if (refused !== undefined) return refused;
  const plan = await planBudgets(rooms, { ...keyScope(key), input: budgetInput(body) });
  const { versions } = found;
  const view = renderKey(key, { versions, budgets: plan.states, secrets: signing.secrets });
  return {
    steps: [rooms.keys.updateStep(key), ...signing.steps, ...plan.steps],
    events: [
      {
        action: 'key.updated',
        target: key.id,
        detail: {
          fields: Object.keys(body),
          ...describeChange(renderKey(before, nothingElse), renderKey(key, nothingElse)),
        },
      },
      ...plan.events,
    ],
    reply: {
      status: 200,
      body: signing.secret === undefined ? view : { signing_secret: signing.secret, ...view },
    },
  };
}

/** What else a key's view has, which events of its own tell. */
const nothingElse = { versions: [], budgets: [], secrets: [] };

async function revokeKey(rooms: KeyRooms, principal: Principal, id: string): Promise<Change | Denial> {
  const found = await rooms.keys.find(principal.key.organizationId, id);
  if (found === undefined) return new Denial('not_found');
  const revokedAtMs = found.key.revokedAtMs ?? rooms.clock.nowMs();
  const key = { ...found.key, revokedAtMs };
  return {
    steps: [rooms.keys.updateStep(key)],
    events: [{ action: 'key.revoked', target: key.id }],
    reply: ok(await viewKey(rooms, { ...found, key })),
  };
}

/** What a child has of its parent, or of how it was made. */
const FIXED_OF_CHILDREN = [
  'not_before',
  'expires_at',
  'auto_rotate',
  'rotation_interval',
  'signing',
] as const satisfies readonly (keyof UpdateKeyBody)[];

function refuseFixed(body: UpdateKeyBody): Denial | undefined {
  const param = FIXED_OF_CHILDREN.find((field) => body[field] !== undefined);
  if (param === undefined) return undefined;
  return new Denial('invalid_request', {
    message: `'${param}' of a child key is fixed when it is made.`,
    param,
  });
}

/** A child stays within its parent, whoever changes it. */
async function checkParent(rooms: KeyRooms, key: Key): Promise<Denial | undefined> {
  if (key.parent === undefined) return undefined;
  const parent = await rooms.keys.find(key.organizationId, key.parent.keyId);
  return parent === undefined ? new Denial('not_found') : checkNarrower(parent.key, key);
}

/** What is not named stays; `null` removes. */
function changed(before: Key, body: UpdateKeyBody): Key {
  const or = <Value>(now: Value | null | undefined, was: Value | undefined) =>
    now === undefined ? was : (now ?? undefined);
  return {
    ...before,
    permissions: body.permissions ?? before.permissions,
    name: or(body.name, before.name),
    models: or(body.models, before.models),
    networks: or(body.networks, before.networks),
    limits: limitsOf(before.limits, body),
    notBeforeMs: or(body.not_before, before.notBeforeMs),
    expiresAtMs: or(body.expires_at, before.expiresAtMs),
    estimate: readEstimate(body, before.estimate),
    clampsOutput: body.clamp_output ?? before.clampsOutput,
    autoRotate: body.auto_rotate ?? before.autoRotate,
    rotationIntervalS: body.rotation_interval ?? before.rotationIntervalS,
    metadata: or(body.metadata, before.metadata),
  };
}

function quarantineOf(rooms: KeyRooms, { quarantinedAtMs }: Key, body: UpdateKeyBody): number | undefined {
  if (body.quarantined === undefined) return quarantinedAtMs;
  return body.quarantined ? (quarantinedAtMs ?? rooms.clock.nowMs()) : undefined;
}

function checkLife({ notBeforeMs, expiresAtMs, autoRotate, signing }: KeyRules): Denial | undefined {
  if (autoRotate && signing?.required === true && signing.versions.every((version) => version === '1')) {
    return new Denial('invalid_request', {
      message: "A key that signs by version 1 alone cannot renew itself: add '2' to its versions.",
      param: 'auto_rotate',
    });
  }
  if (notBeforeMs === undefined || expiresAtMs === undefined || notBeforeMs < expiresAtMs) return undefined;
  return new Denial('invalid_request', {
    message: "'not_before' must be before 'expires_at'.",
    param: 'not_before',
  });
}
