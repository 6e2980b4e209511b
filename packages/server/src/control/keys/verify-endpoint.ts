/** `POST /v1/keys/verify`: other services ask whether a key of their organization may do something. Nothing is consumed. */
import { CONTROL_PERMISSIONS, DATA_PERMISSIONS, ERRORS, formatUsd } from '@keyfold/protocol';
import { checkPermission, permissionsOf } from '../../access/authorize.ts';
import { Denial } from '../../kernel/denial.ts';
import type { RefusalSummary } from '../../audit/refusal-summary.ts';
import type { Authenticator } from '../../keys/authenticate.ts';
import { type Principal, mustSign } from '../../keys/key.ts';
import { type Endpoint, type Json, defineEndpoint, ok } from '../endpoint.ts';
import { renderTime } from '../list-page.ts';
import { usd, z } from '../schemas.ts';
import { type SelfRooms, callBudgets, endOf, remainingQuota } from './self-endpoints.ts';

export interface VerifyRooms extends SelfRooms {
  readonly authenticator: Authenticator;
  readonly refusals: RefusalSummary;
}

const verifyBody = z.strictObject({
  key: z.string().min(1).max(500),
  permission: z.enum([...DATA_PERMISSIONS, ...CONTROL_PERMISSIONS]).optional(),
  cost: usd.optional(),
});

const verification = z.object({
  valid: z.boolean(),
  key_id: z.string().optional(),
  kind: z.string().optional(),
  project_id: z.string().optional(),
  permissions: z.array(z.string()).optional(),
  remaining_quota: z.number().optional(),
  expires_at: z.string().nullable().optional(),
  code: z.string().optional(),
  error: z.object({ code: z.string(), message: z.string() }).optional(),
});

export function verifyEndpoint(rooms: VerifyRooms): Endpoint {
  return defineEndpoint({
    method: 'post',
    path: '/v1/keys/verify',
    permission: 'keys:verify',
    tag: 'Keys',
    summary: 'Check a key, and whether it may do this and its budgets have room for that much.',
    body: verifyBody,
    response: { status: 200, schema: verification },
    handle: async ({ principal, requestId, body }) => {
      const { organizationId } = principal.key;
      const found = await rooms.authenticator.authenticate(body.key);
      if (found instanceof Denial) {
        const { isAlarm, subject } = found.detail;
        if (isAlarm === true) rooms.refusals.count(found, { address: 'keys/verify', requestId });
        const isOwn = subject?.organizationId === organizationId;
        return ok(refused(isOwn ? found : new Denial('invalid_api_key'), isOwn ? subject.keyId : undefined));
      }
      if (found.key.organizationId !== organizationId) return ok(refused(new Denial('invalid_api_key')));
      return ok(await verify(rooms, found, body));
    },
  });
}

async function verify(
  rooms: VerifyRooms,
  principal: Principal,
  body: z.infer<typeof verifyBody>,
): Promise<Json> {
  const { key } = principal;
  // Where requests must be signed, a key that was presented by itself proves nothing.
  if (mustSign(principal)) return refused(new Denial('invalid_signature'), key.id);
  const forbidden = body.permission === undefined ? undefined : checkPermission(principal, body.permission);
  if (forbidden !== undefined) return refused(forbidden, key.id);
  const budgets = await callBudgets(rooms, principal);
  const { cost } = body;
  const full = cost === undefined ? undefined : budgets.find(({ remaining }) => remaining < cost);
  if (full !== undefined) {
    const { scope, period } = full.budget;
    const message = `The ${period} budget of the ${scope} has ${formatUsd(full.remaining)} USD left.`;
    return refused(new Denial('budget_exhausted', { message }), key.id);
  }
  return {
    valid: true,
    key_id: key.id,
    kind: key.kind,
    project_id: key.projectId,
    permissions: permissionsOf(principal),
    remaining_quota: await remainingQuota(rooms, principal, budgets),
    expires_at: renderTime(endOf(principal)),
  };
}

function refused({ code, detail }: Denial, keyId?: string): Json {
  const message = detail.message ?? ERRORS[code].title;
  return { valid: false, ...(keyId === undefined ? {} : { key_id: keyId }), code, error: { code, message } };
}
