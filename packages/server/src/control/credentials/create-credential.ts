/** Adds a credential. One that is not told what its server offers has the server asked, before anything is stored. */
import type { Credential } from '../../credentials/credential.ts';
import { Denial } from '../../kernel/denial.ts';
import type { NewId } from '../../kernel/new-id.ts';
import type { Principal } from '../../keys/key.ts';
import type { UpstreamPools } from '../../upstream/pools.ts';
import type { Change } from '../endpoint.ts';
import { NO_LIMITS, mergeLimits } from '../limits.ts';
import { askModels, readFoundModels } from './ask-models.ts';
import { type CreateCredentialBody, mustListModels, readCredentialRules } from './credential-input.ts';
import type { CredentialTestRooms } from './credential-test-endpoint.ts';
import { renderCredential } from './credential-view.ts';

export interface CreateRooms extends CredentialTestRooms {
  readonly pools: UpstreamPools;
  readonly newId: NewId;
}

export async function createCredential(
  rooms: CreateRooms,
  principal: Principal,
  body: CreateCredentialBody,
): Promise<Change | Denial> {
  const rules = readCredentialRules(body);
  if (rules instanceof Denial) return rules;
  const { organizationId } = principal.key;
  const nowMs = rooms.clock.nowMs();
  const named: Credential = {
    ...rules,
    id: rooms.newId('credential'),
    organizationId,
    name: body.name,
    weight: body.weight ?? 1,
    limits: mergeLimits(NO_LIMITS, body.limits),
    version: 1,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const taken = await checkName(rooms, principal, named);
  if (taken !== undefined) return taken;
  const models = mustListModels(named) ? await findModels(rooms, named, body.secret) : named.models;
  if (models instanceof Denial) return models;
  const credential = { ...named, models };
  return {
    steps: [rooms.credentials.insertStep(credential, body.secret)],
    events: [
      {
        action: 'credential.created',
        target: credential.id,
        detail: { name: body.name, provider: rules.provider, base_url: rules.baseUrl },
      },
    ],
    reply: { status: 201, body: renderCredential(rooms, credential) },
  };
}

/** Refused when another credential of the organization has the name. */
export async function checkName(
  rooms: CreateRooms,
  principal: Principal,
  wanted: Credential,
): Promise<Denial | undefined> {
  const all = await rooms.credentials.forOrganization(wanted.organizationId, principal.organizationRevision);
  const isTaken = all.some(({ id, name }) => name === wanted.name && id !== wanted.id);
  return isTaken
    ? new Denial('conflict', { message: `There is a credential named '${wanted.name}'.`, param: 'name' })
    : undefined;
}

/** The server is asked what it has, over a connection of its own: whether there will be such a credential is open yet. */
async function findModels(
  rooms: CreateRooms,
  credential: Credential,
  secret: string,
): Promise<readonly string[] | Denial> {
  try {
    return readFoundModels(await askModels(rooms, credential, secret));
  } finally {
    rooms.pools.forget(credential.id);
  }
}
