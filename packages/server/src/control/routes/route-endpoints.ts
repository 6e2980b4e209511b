/** Routes: public model names. Create, list, show, change, delete. */
import type { CredentialStore } from '../../credentials/credential-store.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Denial } from '../../kernel/denial.ts';
import type { NewId } from '../../kernel/new-id.ts';
import type { Principal } from '../../keys/key.ts';
import type { Route } from '../../routing/route.ts';
import type { RouteStore } from '../../routing/route-store.ts';
import { describeChange } from '../describe-change.ts';
import { type Change, type Endpoint, type Json, defineEndpoint, ok } from '../endpoint.ts';
import { cutPage, renderPage, renderTime } from '../list-page.ts';
import { idParams, listOf, listQuery, z } from '../schemas.ts';
import {
  type CreateRouteBody,
  type UpdateRouteBody,
  createRouteBody,
  readRetry,
  readTargets,
  updateRouteBody,
} from './route-input.ts';

export interface RouteRooms {
  readonly routes: RouteStore;
  readonly credentials: CredentialStore;
  readonly clock: Clock;
  readonly newId: NewId;
}

const TAG = 'Routes';
const routeView = z
  .object({
    object: z.literal('route'),
    id: z.string(),
    name: z.string(),
    targets: z.array(
      z.object({
        model: z.string(),
        credential_id: z.string().nullable(),
        weight: z.number(),
        priority: z.number(),
      }),
    ),
    retry: z.object({
      attempts_max: z.number(),
      first_token_timeout_ms: z.number().nullable(),
      answer_timeout_ms: z.number().nullable(),
    }),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .openapi('Route');

export function routeEndpoints(rooms: RouteRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'post',
      path: '/v1/routes',
      permission: 'routes:write',
      tag: TAG,
      summary: 'Make a public model name that one or more targets serve.',
      body: createRouteBody,
      response: { status: 201, schema: routeView },
      handle: ({ principal, body }) => createRoute(rooms, principal, body),
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/routes',
      permission: 'routes:read',
      tag: TAG,
      summary: 'List routes, newest first.',
      query: listQuery,
      response: { status: 200, schema: listOf(routeView) },
      handle: async ({ principal, query }) => {
        const of = { id: ({ id }: Route) => id, view: renderRoute, order: 'newest' } as const;
        return ok(renderPage(cutPage(await listOwn(rooms, principal), query, of), query, of));
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/routes/{id}',
      permission: 'routes:read',
      tag: TAG,
      summary: 'Show a route.',
      params: idParams,
      response: { status: 200, schema: routeView },
      handle: async ({ principal, params }) => {
        const found = await find(rooms, principal, params.id);
        return found === undefined ? new Denial('not_found') : ok(renderRoute(found));
      },
    }),
    defineEndpoint({
      method: 'patch',
      path: '/v1/routes/{id}',
      permission: 'routes:write',
      tag: TAG,
      summary: 'Change a route. What is not named stays; lists are replaced.',
      params: idParams,
      body: updateRouteBody,
      response: { status: 200, schema: routeView },
      handle: ({ principal, params, body }) => updateRoute(rooms, principal, { id: params.id, body }),
    }),
    defineEndpoint({
      method: 'delete',
      path: '/v1/routes/{id}',
      permission: 'routes:write',
      tag: TAG,
      summary: 'Delete a route. Its name is free again.',
      params: idParams,
      response: { status: 204 },
      handle: async ({ principal, params }) => {
        const found = await find(rooms, principal, params.id);
        if (found === undefined) return new Denial('not_found');
        return {
          steps: [rooms.routes.removeStep(found.id)],
          events: [{ action: 'route.deleted', target: found.id, detail: { name: found.name } }],
          reply: { status: 204, body: undefined },
        };
      },
    }),
  ];
}

async function createRoute(
  rooms: RouteRooms,
  principal: Principal,
  body: CreateRouteBody,
): Promise<Change | Denial> {
  const targets = readTargets(body.targets, await credentialsOf(rooms, principal));
  if (targets instanceof Denial) return targets;
  const taken = await checkName(rooms, principal, { name: body.name });
  if (taken !== undefined) return taken;
  const nowMs = rooms.clock.nowMs();
  const route: Route = {
    id: rooms.newId('route'),
    organizationId: principal.key.organizationId,
    name: body.name,
    targets,
    retry: readRetry(body.retry),
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  return {
    steps: [rooms.routes.insertStep(route)],
    events: [{ action: 'route.created', target: route.id, detail: describe(route) }],
    reply: { status: 201, body: renderRoute(route) },
  };
}

async function updateRoute(
  rooms: RouteRooms,
  principal: Principal,
  of: { readonly id: string; readonly body: UpdateRouteBody },
): Promise<Change | Denial> {
  const { body } = of;
  const before = await find(rooms, principal, of.id);
  if (before === undefined) return new Denial('not_found');
  const targets =
    body.targets === undefined
      ? before.targets
      : readTargets(body.targets, await credentialsOf(rooms, principal));
  if (targets instanceof Denial) return targets;
  const next: Route = {
    ...before,
    name: body.name ?? before.name,
    targets,
    retry: body.retry === undefined ? before.retry : readRetry(body.retry),
    // The guard of the next change: it must differ even within a millisecond.
    updatedAtMs: Math.max(rooms.clock.nowMs(), before.updatedAtMs + 1),
  };
  const taken = await checkName(rooms, principal, next);
  if (taken !== undefined) return taken;
  return {
    steps: [rooms.routes.replaceStep(next, before.updatedAtMs)],
    events: [
      {
        action: 'route.updated',
        target: next.id,
        detail: { ...describe(next), ...describeChange(renderRoute(before), renderRoute(next)) },
      },
    ],
    reply: { status: 200, body: renderRoute(next) },
  };
}

function listOwn({ routes }: RouteRooms, principal: Principal): Promise<readonly Route[]> {
  return routes.forOrganization(principal.key.organizationId, principal.organizationRevision);
}

async function find(rooms: RouteRooms, principal: Principal, id: string): Promise<Route | undefined> {
  return (await listOwn(rooms, principal)).find((route) => route.id === id);
}

function credentialsOf({ credentials }: RouteRooms, principal: Principal) {
  return credentials.forOrganization(principal.key.organizationId, principal.organizationRevision);
}

async function checkName(
  rooms: RouteRooms,
  principal: Principal,
  wanted: { readonly name: string; readonly id?: string },
): Promise<Denial | undefined> {
  const routes = await listOwn(rooms, principal);
  return routes.some(({ id, name }) => name === wanted.name && id !== wanted.id)
    ? new Denial('conflict', { message: `There is a route named '${wanted.name}'.`, param: 'name' })
    : undefined;
}

function describe({ name, targets }: Route) {
  return { name, targets: targets.map(({ model, priority, weight }) => `${priority} ${model} ${weight}`) };
}

function renderRoute(route: Route): Json {
  const { retry } = route;
  return {
    object: 'route',
    id: route.id,
    name: route.name,
    targets: route.targets.map((target) => ({
      model: target.model,
      credential_id: target.credentialId ?? null,
      weight: target.weight,
      priority: target.priority,
    })),
    retry: {
      attempts_max: retry.attemptsMax,
      first_token_timeout_ms: retry.firstTokenTimeoutMs ?? null,
      answer_timeout_ms: retry.answerTimeoutMs ?? null,
    },
    created_at: renderTime(route.createdAtMs),
    updated_at: renderTime(route.updatedAtMs),
  };
}
