/** `POST /v1/keys/self/children`: a key makes a short-lived key that is never wider than itself. */
import { checkNarrower } from '../../access/narrower.ts';
import { Denial } from '../../kernel/denial.ts';
import type { KeyRules } from '../../keys/issue-key.ts';
import type { Principal } from '../../keys/key.ts';
import { CHILDREN_KEPT_MAX, CHILDREN_MAX, type KeySweep } from '../../keys/key-sweep.ts';
import { type Change, type Endpoint, defineEndpoint } from '../endpoint.ts';
import { type IssueRooms, budgetInput, issueKey, limitsOf } from './issue-key.ts';
import { NO_LIMITS } from '../limits.ts';
import { type ChildKeyBody, childKeyBody } from './key-input.ts';
import { keyView } from './key-view.ts';
import { z } from '../schemas.ts';
import { endOf } from './self-endpoints.ts';
import { readKey } from './signing-input.ts';

export interface ChildRooms extends IssueRooms {
  readonly keySweep: KeySweep;
}

const TOO_MANY = `A key has at most ${CHILDREN_MAX} children at a time, and ${CHILDREN_KEPT_MAX} a day.`;
const RETRY_AFTER_MS = 60_000;
const LIFE_S_DEFAULT = 3_600;

export function childEndpoint(rooms: ChildRooms): Endpoint {
  return defineEndpoint({
    method: 'post',
    path: '/v1/keys/self/children',
    permission: undefined,
    tag: 'The key itself',
    summary: 'Make a short-lived key that may do no more than this one, and ends with it.',
    body: childKeyBody,
    response: { status: 201, schema: keyView.extend({ api_key: z.string() }) },
    handle: ({ principal, body }) => createChild(rooms, principal, body),
  });
}

async function createChild(
  rooms: ChildRooms,
  principal: Principal,
  body: ChildKeyBody,
): Promise<Change | Denial> {
  const { key: parent, version } = principal;
  if (principal.parent !== undefined) {
    return new Denial('permission_denied', { message: 'A child key makes no children.' });
  }
  // What an admin key may do is to make keys: bounds that its children inherit would have to hold for those, too.
  if (parent.kind === 'admin') {
    return new Denial('permission_denied', {
      message: 'Admin keys make no children: make a narrower admin key.',
    });
  }
  const expiresAtMs = childEnd(rooms, principal, body);
  if (expiresAtMs instanceof Denial) return expiresAtMs;
  const signing = parent.signing?.required === true ? parent.signing : undefined;
  const publicKey = readKey(body.public_key, {
    isEd25519: signing?.algorithm === 'ed25519',
    param: 'public_key',
  });
  if (publicKey instanceof Denial) return publicKey;
  const rules: KeyRules = {
    organizationId: parent.organizationId,
    projectId: parent.projectId,
    kind: parent.kind,
    name: body.name ?? undefined,
    permissions: body.permissions ?? parent.permissions,
    models: body.models === undefined ? parent.models : (body.models ?? undefined),
    networks: body.networks === undefined ? parent.networks : (body.networks ?? undefined),
    limits: limitsOf(NO_LIMITS, body),
    notBeforeMs: undefined,
    expiresAtMs,
    signing,
    parent: { keyId: parent.id, version: version.version },
    isCanary: false,
    // Its calls are paid for as its parent's are.
    estimate: undefined,
    clampsOutput: false,
    autoRotate: false,
    rotationIntervalS: parent.rotationIntervalS,
    metadata: body.metadata ?? undefined,
  };
  const wider = checkNarrower(parent, rules);
  if (wider !== undefined) return wider;
  const detail = {
    kind: rules.kind,
    permissions: rules.permissions,
    parent: parent.id,
    parent_version: version.version,
  };
  const change = await issueKey(rooms, { rules, publicKey, budgets: budgetInput(body), detail });
  // In the same commit as the child, so that a hundred at once make no more than one after the other.
  const room = rooms.keySweep.childRoomStep(parent.id, rooms.clock.nowMs());
  return {
    ...change,
    steps: [room, ...change.steps],
    refusals: [new Denial('conflict', { message: TOO_MANY, retryAfterMs: RETRY_AFTER_MS })],
  };
}

/** Without a life that was asked for, an hour or what the parent has left. */
function childEnd(rooms: ChildRooms, principal: Principal, body: ChildKeyBody): number | Denial {
  const nowMs = rooms.clock.nowMs();
  const parentEndMs = endOf(principal) ?? Infinity;
  if (body.ttl_seconds === undefined) return Math.min(nowMs + LIFE_S_DEFAULT * 1_000, parentEndMs);
  const endMs = nowMs + body.ttl_seconds * 1_000;
  if (endMs <= parentEndMs) return endMs;
  return new Denial('invalid_request', {
    message: `A child does not outlive its parent, which ends at ${new Date(parentEndMs).toISOString()}.`,
    param: 'ttl_seconds',
  });
}
