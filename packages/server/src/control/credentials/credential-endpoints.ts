/** Credentials: add, list, show, change, rotate, delete. A secret goes in and never comes back. */
import { isDeepStrictEqual } from 'node:util';
import type { Credential } from '../../credentials/credential.ts';
import type { Secrets, SealedCredential } from '../../credentials/credential-store.ts';
import { Denial } from '../../kernel/denial.ts';
import type { Principal } from '../../keys/key.ts';
import { type CreateRooms, checkName, createCredential } from './create-credential.ts';
import { credentialTestEndpoint } from './credential-test-endpoint.ts';
import {
  type UpdateCredentialBody,
  createCredentialBody,
  mustListModels,
  readCredentialRules,
  refuseNoModels,
  rotateCredentialBody,
  updateCredentialBody,
} from './credential-input.ts';
import { type Change, type Endpoint, defineEndpoint, ok } from '../endpoint.ts';
import { mergeLimits } from '../limits.ts';
import { cutPage, renderPage } from '../list-page.ts';
import { credentialView, renderCredential } from './credential-view.ts';
import { type ReplacementRooms, describeReplacement } from './describe-replacement.ts';
import { idParams, listOf, listQuery, z } from '../schemas.ts';

export type CredentialRooms = CreateRooms & ReplacementRooms;

const TAG = 'Credentials';
export function credentialEndpoints(rooms: CredentialRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'post',
      path: '/v1/credentials',
      permission: 'credentials:write',
      tag: TAG,
      summary: "Add a provider's credential. Its secret is sealed and never shown again.",
      body: createCredentialBody,
      response: { status: 201, schema: credentialView },
      handle: ({ principal, body }) => createCredential(rooms, principal, body),
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/credentials',
      permission: 'credentials:read',
      tag: TAG,
      summary: 'List credentials, newest first, without their secrets.',
      query: listQuery.extend({ provider: z.string().max(100).optional() }),
      response: { status: 200, schema: listOf(credentialView) },
      handle: async ({ principal, query }) => {
        const all = await rooms.credentials.forOrganization(
          principal.key.organizationId,
          principal.organizationRevision,
        );
        const wanted = all.filter(({ provider }) => provider === (query.provider ?? provider));
        const of = {
          id: ({ id }: Credential) => id,
          view: (each: SealedCredential) => renderCredential(rooms, each),
          order: 'newest',
        } as const;
        return ok(renderPage(cutPage(wanted, query, of), query, of));
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/credentials/{id}',
      permission: 'credentials:read',
      tag: TAG,
      summary: 'Show a credential, without its secret.',
      params: idParams,
      response: { status: 200, schema: credentialView },
      handle: async ({ principal, params }) => {
        const found = await find(rooms, principal, params.id);
        return found === undefined ? new Denial('not_found') : ok(renderCredential(rooms, found));
      },
    }),
    defineEndpoint({
      method: 'patch',
      path: '/v1/credentials/{id}',
      permission: 'credentials:write',
      tag: TAG,
      summary: 'Change a credential. What is not named stays; null removes.',
      params: idParams,
      body: updateCredentialBody,
      response: { status: 200, schema: credentialView },
      handle: ({ principal, params, body }) => updateCredential(rooms, principal, { id: params.id, body }),
    }),
    defineEndpoint({
      method: 'delete',
      path: '/v1/credentials/{id}',
      permission: 'credentials:write',
      tag: TAG,
      summary: 'Delete a credential. No new call uses it; its secret cannot be brought back.',
      params: idParams,
      response: { status: 204 },
      handle: async ({ principal, params }) => {
        const found = await find(rooms, principal, params.id);
        if (found === undefined) return new Denial('not_found');
        return {
          steps: [rooms.credentials.removeStep(found.id)],
          events: [{ action: 'credential.deleted', target: found.id, detail: { name: found.name } }],
          reply: { status: 204, body: undefined },
          afterwards: () => {
            rooms.pools.forget(found.id);
            rooms.health.forgetAll(found.id);
          },
        };
      },
    }),
    defineEndpoint({
      method: 'post',
      path: '/v1/credentials/{id}/rotate',
      permission: 'credentials:write',
      tag: TAG,
      summary:
        "Replace a credential's secret. The old one is still tried for a while where the provider refuses the new one.",
      params: idParams,
      body: rotateCredentialBody,
      response: { status: 200, schema: credentialView },
      handle: async ({ principal, params, body }) => {
        const found = await find(rooms, principal, params.id);
        if (found === undefined) return new Denial('not_found');
        const next = nextVersion(rooms, found);
        const untilMs = rooms.clock.nowMs() + body.grace_seconds * 1_000;
        const previous =
          body.grace_seconds === 0 ? undefined : { secret: rooms.credentials.open(found), untilMs };
        const secrets = { current: body.secret, previous };
        return replace(rooms, {
          before: found,
          next,
          secrets,
          fields: ['secret'],
          graceSeconds: body.grace_seconds,
        });
      },
    }),
    credentialTestEndpoint(rooms),
  ];
}

async function updateCredential(
  rooms: CredentialRooms,
  principal: Principal,
  of: { readonly id: string; readonly body: UpdateCredentialBody },
): Promise<Change | Denial> {
  const { body } = of;
  const before = await find(rooms, principal, of.id);
  if (before === undefined) return new Denial('not_found');
  const rules = readCredentialRules({
    provider: before.provider,
    base_url: body.base_url ?? before.baseUrl,
    allow_networks: body.allow_networks ?? [...before.allowNetworks],
    models: body.models === undefined ? before.models?.slice() : (body.models ?? undefined),
    stream_policy: body.stream_policy ?? before.streamPolicy,
  });
  if (rules instanceof Denial) return rules;
  if (mustListModels(rules)) return refuseNoModels(rules.provider);
  const next = {
    ...nextVersion(rooms, before),
    ...rules,
    name: body.name ?? before.name,
    weight: body.weight ?? before.weight,
    limits: mergeLimits(before.limits, body.limits),
  };
  const taken = await checkName(rooms, principal, next);
  if (taken !== undefined) return taken;
  // Whoever may say where a secret is sent could otherwise have a secret sent to themselves that they never saw.
  const isMoved =
    next.baseUrl !== before.baseUrl || !isDeepStrictEqual(next.allowNetworks, before.allowNetworks);
  if (isMoved && body.secret === undefined) {
    return new Denial('invalid_request', {
      message: 'Send the secret again to change base_url or allow_networks: they decide where it goes.',
      param: 'secret',
    });
  }
  const secrets = readSecrets(rooms, { before, secret: body.secret, isMoved });
  return replace(rooms, { before, next, secrets, fields: Object.keys(body) });
}

/** Where a secret may go is not changed for one that nobody sent again: then the one before it is forgotten. */
function readSecrets(
  { credentials, clock }: CredentialRooms,
  of: { readonly before: SealedCredential; readonly secret: string | undefined; readonly isMoved: boolean },
): Secrets {
  const { before, secret } = of;
  if (secret !== undefined) return { current: secret };
  const nowMs = clock.nowMs();
  const untilMs = before.previous?.untilMs ?? 0;
  const previous =
    of.isMoved || untilMs <= nowMs ? undefined : { secret: credentials.open(before, nowMs), untilMs };
  return { current: credentials.open(before), previous };
}

/** The seal binds what was changed, so the secret is sealed anew under the next version. */
function replace(
  rooms: CredentialRooms,
  of: {
    readonly before: SealedCredential;
    readonly next: Credential;
    readonly secrets: Secrets;
    readonly fields: readonly string[];
    /** How long the secret before is still tried, where this replaces it. */
    readonly graceSeconds?: number;
  },
): Change {
  const { before, next } = of;
  return {
    steps: [rooms.credentials.replaceStep(next, { secrets: of.secrets, previousVersion: before.version })],
    events: [
      {
        action: 'credential.updated',
        target: next.id,
        detail: {
          fields: of.fields,
          version: next.version,
          base_url: next.baseUrl,
          ...(of.graceSeconds === undefined ? {} : { grace_seconds: of.graceSeconds }),
          ...describeReplacement(rooms, of),
        },
      },
    ],
    reply: { status: 200, body: renderCredential(rooms, { ...next, previous: of.secrets.previous }) },
    afterwards: () => {
      rooms.pools.forget(next.id);
      rooms.health.forgetAll(next.id);
    },
  };
}

async function find(
  rooms: CredentialRooms,
  principal: Principal,
  id: string,
): Promise<SealedCredential | undefined> {
  const all = await rooms.credentials.forOrganization(
    principal.key.organizationId,
    principal.organizationRevision,
  );
  return all.find((credential) => credential.id === id);
}

function nextVersion(rooms: CredentialRooms, { id, ...before }: SealedCredential): Credential {
  const { sealed: _sealed, previous: _previous, ...rest } = before;
  return { ...rest, id, version: before.version + 1, updatedAtMs: rooms.clock.nowMs() };
}
