/** Keys: create, list, show, update, revoke, rotate. */
import type { KeyIssuer, KeyRules } from '../keys/issue-key.ts';
import { GRACE_S_DEFAULT, GRACE_S_MAX } from '../keys/issue-key.ts';
import { type Key, type KeyLimits, type Principal } from '../keys/key.ts';
import type { KeyStore } from '../keys/key-store.ts';
import type { BudgetStore } from '../ledger/budget-store.ts';
import type { Clock } from '../kernel/clock.ts';
import { Denial } from '../kernel/denial.ts';
import type { NewId } from '../kernel/new-id.ts';
import { checkGrant } from '../access/grant.ts';
import { type BudgetInput, planBudgets } from './budget-plan.ts';
import { type Change, type Endpoint, defineEndpoint, ok } from './endpoint.ts';
import {
  type CreateKeyBody,
  ROTATION_INTERVAL_S_DEFAULT,
  type UpdateKeyBody,
  createKeyBody,
  updateKeyBody,
} from './key-input.ts';
import { keyView, renderKey } from './key-view.ts';
import { renderPage, renderTime } from './list-page.ts';
import type { ProjectStore } from '../tenants/project-store.ts';
import { idParams, listOf, listQuery, z } from './schemas.ts';

export interface KeyRooms {
  readonly keys: KeyStore;
  readonly issuer: KeyIssuer;
  readonly budgets: BudgetStore;
  readonly projects: ProjectStore;
  readonly clock: Clock;
  readonly newId: NewId;
}

const TAG = 'Keys';
const createdKey = keyView.extend({ api_key: z.string() });
const rotatedKey = z.object({
  new_api_key: z.string(),
  key_id: z.string(),
  version: z.number(),
  previous_expires_at: z.string(),
  rotation_id: z.string(),
});

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
      summary: 'List keys, newest first.',
      query: listQuery.extend({
        project_id: z.string().max(100).optional(),
        kind: z.string().max(10).optional(),
      }),
      response: { status: 200, schema: listOf(keyView) },
      handle: async ({ principal, query }) => {
        const { organizationId } = principal.key;
        const found = await rooms.keys.list({ organizationId, projectId: query.project_id, ...query });
        const budgets = await rooms.budgets.load(found.map(({ key }) => key.id));
        const states = await rooms.budgets.statesOf(budgets);
        return ok(
          renderPage(found, query, {
            id: ({ key }) => key.id,
            view: ({ key, versions }) =>
              renderKey(key, {
                versions,
                budgets: states.filter((state) => state.budget.scopeId === key.id),
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
        const budgets = await rooms.budgets.statesOf(await rooms.budgets.load([found.key.id]));
        return ok(renderKey(found.key, { versions: found.versions, budgets }));
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
    defineEndpoint({
      method: 'post',
      path: '/v1/keys/{id}/rotate',
      permission: 'keys:rotate',
      tag: TAG,
      summary: 'Add a version; the old one goes on working for a grace period.',
      params: idParams,
      body: z
        .strictObject({ grace_seconds: z.int().min(0).max(GRACE_S_MAX).default(GRACE_S_DEFAULT) })
        .prefault({}),
      response: { status: 200, schema: rotatedKey },
      handle: ({ principal, params, body }) =>
        rotateKey(rooms, principal, { id: params.id, graceS: body.grace_seconds }),
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
  const rules: KeyRules = {
    organizationId: principal.key.organizationId,
    projectId: project.id,
    kind: body.kind,
    name: body.name ?? undefined,
    permissions: body.permissions,
    models: body.models ?? undefined,
    networks: body.networks ?? undefined,
    limits: mergeLimits(NO_LIMITS, body),
    expiresAtMs: body.expires_at ?? undefined,
    autoRotate: body.auto_rotate ?? false,
    rotationIntervalS: body.rotation_interval ?? ROTATION_INTERVAL_S_DEFAULT,
    metadata: body.metadata ?? undefined,
  };
  const refused = checkGrant(principal, rules);
  if (refused !== undefined) return refused;
  const issued = rooms.issuer.issue(rules);
  const plan = await planBudgets(rooms, {
    scope: 'key',
    scopeId: issued.key.id,
    owner: issued.key,
    input: budgetInput(body),
  });
  const view = renderKey(issued.key, { versions: [issued.version], budgets: plan.states });
  return {
    steps: [...issued.steps, ...plan.steps],
    events: [
      {
        action: 'key.created',
        target: issued.key.id,
        detail: { kind: body.kind, permissions: body.permissions },
      },
      ...plan.events,
    ],
    reply: { status: 201, body: { api_key: issued.secret, ...view } },
  };
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
  const key: Key = {
    ...before,
    permissions: body.permissions ?? before.permissions,
    name: body.name === undefined ? before.name : (body.name ?? undefined),
    models: body.models === undefined ? before.models : (body.models ?? undefined),
    networks: body.networks === undefined ? before.networks : (body.networks ?? undefined),
    limits: mergeLimits(before.limits, body),
    expiresAtMs: body.expires_at === undefined ? before.expiresAtMs : (body.expires_at ?? undefined),
    autoRotate: body.auto_rotate ?? before.autoRotate,
    rotationIntervalS: body.rotation_interval ?? before.rotationIntervalS,
    metadata: body.metadata === undefined ? before.metadata : (body.metadata ?? undefined),
  };
  const refused = checkGrant(principal, key);
  if (refused !== undefined) return refused;
  const plan = await planBudgets(rooms, {
    scope: 'key',
    scopeId: key.id,
    owner: key,
    input: budgetInput(body),
  });
  return {
    steps: [rooms.keys.updateStep(key), ...plan.steps],
    events: [
      { action: 'key.updated', target: key.id, detail: { fields: Object.keys(body) } },
      ...plan.events,
    ],
    reply: { status: 200, body: renderKey(key, { versions: found.versions, budgets: plan.states }) },
  };
}

async function revokeKey(rooms: KeyRooms, principal: Principal, id: string): Promise<Change | Denial> {
  const found = await rooms.keys.find(principal.key.organizationId, id);
  if (found === undefined) return new Denial('not_found');
  const budgets = await rooms.budgets.statesOf(await rooms.budgets.load([found.key.id]));
  const revokedAtMs = found.key.revokedAtMs ?? rooms.clock.nowMs();
  const key = { ...found.key, revokedAtMs };
  return {
    steps: [rooms.keys.updateStep(key)],
    events: [{ action: 'key.revoked', target: key.id }],
    reply: { status: 200, body: renderKey(key, { versions: found.versions, budgets }) },
  };
}

async function rotateKey(
  rooms: KeyRooms,
  principal: Principal,
  of: { readonly id: string; readonly graceS: number },
): Promise<Change | Denial> {
  const found = await rooms.keys.find(principal.key.organizationId, of.id);
  if (found === undefined) return new Denial('not_found');
  if (found.key.revokedAtMs !== undefined) return new Denial('conflict', { message: 'The key is revoked.' });
  // Whoever rotates holds the new secret: it must not be worth more than what they may do themselves.
  const refused = checkGrant(principal, found.key);
  if (refused !== undefined) return refused;
  const rotated = rooms.issuer.rotate(found, of.graceS);
  const rotationId = rooms.newId('rotation');
  return {
    steps: rotated.steps,
    events: [
      {
        action: 'key.rotated',
        target: found.key.id,
        detail: { version: rotated.version.version, grace_seconds: of.graceS, rotation_id: rotationId },
      },
    ],
    reply: {
      status: 200,
      body: {
        new_api_key: rotated.secret,
        key_id: found.key.id,
        version: rotated.version.version,
        previous_expires_at: renderTime(rotated.previousExpiresAtMs),
        rotation_id: rotationId,
      },
    },
  };
}

const NO_LIMITS: KeyLimits = {
  requestsPerMinute: undefined,
  tokensPerMinute: undefined,
  concurrentRequests: undefined,
};

function mergeLimits(before: KeyLimits, body: UpdateKeyBody): KeyLimits {
  const { limits = {}, rate_limit: rateLimit } = body;
  const pick = (now: number | null | undefined, was: number | undefined) =>
    now === undefined ? was : (now ?? undefined);
  return {
    requestsPerMinute: rateLimit ?? pick(limits.requests_per_minute, before.requestsPerMinute),
    tokensPerMinute: pick(limits.tokens_per_minute, before.tokensPerMinute),
    concurrentRequests: pick(limits.concurrent_requests, before.concurrentRequests),
  };
}

function budgetInput(body: UpdateKeyBody): BudgetInput {
  return {
    day: body.budgets?.per_day_usd,
    month: body.budgets?.per_month_usd,
    total: body.budgets?.total_usd,
  };
}
