/** The caller's organization, and its projects: list, make, show. */
import type { Clock } from '../kernel/clock.ts';
import { Denial } from '../kernel/denial.ts';
import type { NewId } from '../kernel/new-id.ts';
import type { Principal } from '../keys/key.ts';
import { describeChange } from './describe-change.ts';
import { type Change, type Endpoint, type Json, defineEndpoint, ok } from './endpoint.ts';
import { cutPage, renderPage, renderTime } from './list-page.ts';
import {
  LEAK_POLICIES,
  type Organization,
  type Project,
  type ProjectStore,
} from '../tenants/project-store.ts';
import { idParams, listOf, listQuery, name, z } from './schemas.ts';

export interface ProjectRooms {
  readonly projects: ProjectStore;
  readonly clock: Clock;
  readonly newId: NewId;
}

const TAG = 'Organizations and projects';
const organizationView = z
  .object({
    object: z.literal('organization'),
    id: z.string(),
    name: z.string(),
    leak_policy: z.enum(LEAK_POLICIES),
    created_at: z.string(),
  })
  .openapi('Organization');
const projectView = z
  .object({
    object: z.literal('project'),
    id: z.string(),
    organization_id: z.string(),
    name: z.string(),
    created_at: z.string(),
  })
  .openapi('Project');

export function projectEndpoints(rooms: ProjectRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'get',
      path: '/v1/organizations',
      permission: 'organizations:read',
      tag: TAG,
      summary: 'List the organizations that this key may see: its own.',
      query: listQuery,
      response: { status: 200, schema: listOf(organizationView) },
      handle: async ({ principal, query }) => {
        const own = await rooms.projects.findOrganization(principal.key.organizationId);
        const of = { id: ({ id }: Organization) => id, view: renderOrganization, order: 'newest' } as const;
        return ok(renderPage(cutPage(own === undefined ? [] : [own], query, of), query, of));
      },
    }),
    defineEndpoint({
      method: 'patch',
      path: '/v1/organizations/{id}',
      permission: 'organizations:write',
      tag: TAG,
      summary: 'Say what happens to a key that is reported as leaked.',
      params: idParams,
      body: z.strictObject({ leak_policy: z.enum(LEAK_POLICIES) }),
      response: { status: 200, schema: organizationView },
      handle: async ({ principal, params, body }) => {
        const own = await rooms.projects.findOrganization(principal.key.organizationId);
        if (own === undefined || own.id !== params.id) return new Denial('not_found');
        const leakPolicy = body.leak_policy;
        return {
          steps: [rooms.projects.setLeakPolicyStep(own.id, leakPolicy)],
          events: [
            {
              action: 'organization.updated',
              target: own.id,
              detail: describeChange({ leak_policy: own.leakPolicy }, { leak_policy: leakPolicy }),
            },
          ],
          reply: ok(renderOrganization({ ...own, leakPolicy })),
        };
      },
    }),
    defineEndpoint({
      method: 'post',
      path: '/v1/projects',
      permission: 'projects:write',
      tag: TAG,
      summary: 'Make a project.',
      body: z.strictObject({ name }),
      response: { status: 201, schema: projectView },
      handle: ({ principal, body }) => createProject(rooms, principal, body.name),
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/projects',
      permission: 'projects:read',
      tag: TAG,
      summary: 'List projects, newest first.',
      query: listQuery,
      response: { status: 200, schema: listOf(projectView) },
      handle: async ({ principal, query }) => {
        const all = await rooms.projects.list(principal.key.organizationId);
        const of = { id: ({ id }: Project) => id, view: renderProject, order: 'newest' } as const;
        return ok(renderPage(cutPage(all, query, of), query, of));
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/projects/{id}',
      permission: 'projects:read',
      tag: TAG,
      summary: 'Show a project.',
      params: idParams,
      response: { status: 200, schema: projectView },
      handle: async ({ principal, params }) => {
        const project = await rooms.projects.find(principal.key.organizationId, params.id);
        return project === undefined ? new Denial('not_found') : ok(renderProject(project));
      },
    }),
  ];
}

async function createProject(
  rooms: ProjectRooms,
  principal: Principal,
  name: string,
): Promise<Change | Denial> {
  const { organizationId } = principal.key;
  const all = await rooms.projects.list(organizationId);
  if (all.some((project) => project.name === name)) {
    return new Denial('conflict', { message: `There is a project named '${name}'.`, param: 'name' });
  }
  const project = { id: rooms.newId('project'), organizationId, name, createdAtMs: rooms.clock.nowMs() };
  return {
    steps: [rooms.projects.insertStep(project)],
    events: [{ action: 'project.created', target: project.id, detail: { name } }],
    reply: { status: 201, body: renderProject(project) },
  };
}

function renderOrganization({ id, name, leakPolicy, createdAtMs }: Organization): Json {
  return { object: 'organization', id, name, leak_policy: leakPolicy, created_at: renderTime(createdAtMs) };
}

function renderProject({ id, organizationId, name, createdAtMs }: Project): Json {
  return {
    object: 'project',
    id,
    organization_id: organizationId,
    name,
    created_at: renderTime(createdAtMs),
  };
}
