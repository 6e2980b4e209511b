/** Tests a credential: its provider is asked for its models, which costs nothing and generates nothing. */
import type { Credential } from '../../credentials/credential.ts';
import type { CredentialStore } from '../../credentials/credential-store.ts';
import { Denial } from '../../kernel/denial.ts';
import type { TargetHealth } from '../../upstream/target-health.ts';
import { type Change, type Endpoint, type Json, defineEndpoint } from '../endpoint.ts';
import { idParams, z } from '../schemas.ts';
import { ASK_FAILURES, type AskRooms, type AskedModels, askModels } from './ask-models.ts';

export interface CredentialTestRooms extends AskRooms {
  readonly credentials: CredentialStore;
  readonly health: TargetHealth;
}

const testView = z
  .object({
    object: z.literal('credential_test'),
    credential_id: z.string(),
    ok: z.boolean(),
    /** Null where it is ok. */
    reason: z.enum(ASK_FAILURES).nullable(),
    /** Null where the provider did not answer. */
    provider_status: z.number().nullable(),
    latency_ms: z.number(),
    models: z.array(z.string()),
    /** There are more than are listed. */
    has_more_models: z.boolean(),
  })
  .openapi('CredentialTest');

export function credentialTestEndpoint(rooms: CredentialTestRooms): Endpoint {
  return defineEndpoint({
    method: 'post',
    path: '/v1/credentials/{id}/test',
    permission: 'credentials:write',
    tag: 'Credentials',
    summary:
      "Ask a credential's provider for its models, which costs nothing. Success ends the credential's rest.",
    params: idParams,
    response: { status: 200, schema: testView },
    handle: async ({ principal, params }) => {
      const { organizationId } = principal.key;
      const all = await rooms.credentials.forOrganization(organizationId, principal.organizationRevision);
      const credential = all.find(({ id }) => id === params.id);
      if (credential === undefined) return new Denial('not_found');
      const asked = await askModels(rooms, credential, rooms.credentials.open(credential));
      return record(rooms, credential, asked);
    },
  });
}

/** Nothing is changed but what this process thinks of the credential's health; that it was tested is recorded. */
function record(rooms: CredentialTestRooms, { id }: Credential, asked: AskedModels): Change {
  const { failure } = asked;
  const ok = failure === undefined;
  return {
    steps: [],
    isAdditive: true,
    events: [
      {
        action: 'credential.tested',
        target: id,
        detail: failure === undefined ? { ok } : { ok, reason: failure },
      },
    ],
    reply: { status: 200, body: render(id, asked) },
    afterwards: () => {
      if (ok) rooms.health.forget(id);
    },
  };
}

function render(id: string, asked: AskedModels): Json {
  return {
    object: 'credential_test',
    credential_id: id,
    ok: asked.failure === undefined,
    reason: asked.failure ?? null,
    provider_status: asked.status ?? null,
    latency_ms: asked.latencyMs,
    models: asked.models,
    has_more_models: asked.hasMore,
  };
}
