/** `POST /v1/keys/verify`: other services ask whether a key of their organization may do something. Nothing is consumed. */
import { CONTROL_PERMISSIONS, DATA_PERMISSIONS, ERRORS, formatUsd } from '@keyfold/protocol';
import { checkPermission } from '../access/authorize.ts';
import { Denial } from '../kernel/denial.ts';
import type { Authenticator } from '../keys/authenticate.ts';
import type { Key, Principal } from '../keys/key.ts';
import { type Endpoint, type Json, defineEndpoint, ok } from './endpoint.ts';
import { renderTime } from './list-page.ts';
import { usd, z } from './schemas.ts';
import { type SelfRooms, callBudgets, endOf, remainingQuota } from './self-endpoints.ts';

export interface VerifyRooms extends SelfRooms {
  readonly authenticator: Authenticator;
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
    handle: async ({ principal, body }) => {
      const found = await rooms.authenticator.authenticate(body.key);
      // A key that is no more does not say whose it was, so it is told apart from a foreign one no better than that.
      if (found instanceof Denial || found.key.organizationId !== principal.key.organizationId) {
        return ok(refused(new Denial('invalid_api_key')));
      }
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
  const forbidden = body.permission === undefined ? undefined : checkPermission(key, body.permission);
  if (forbidden !== undefined) return refused(forbidden, key);
  const budgets = await callBudgets(rooms, key);
  const { cost } = body;
  const full = cost === undefined ? undefined : budgets.find(({ remaining }) => remaining < cost);
  if (full !== undefined) {
    const { scope, period } = full.budget;
    const message = `The ${period} budget of the ${scope} has ${formatUsd(full.remaining)} USD left.`;
    return refused(new Denial('budget_exhausted', { message }), key);
  }
  return {
    valid: true,
    key_id: key.id,
    kind: key.kind,
    project_id: key.projectId,
    permissions: key.permissions,
    remaining_quota: remainingQuota(rooms.limiter.peek(key.id, key.limits), budgets),
    expires_at: renderTime(endOf(principal)),
  };
}

function refused({ code, detail }: Denial, key?: Key): Json {
  const message = detail.message ?? ERRORS[code].title;
  return { valid: false, ...(key === undefined ? {} : { key_id: key.id }), code, error: { code, message } };
}
