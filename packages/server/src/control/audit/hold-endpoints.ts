/** `/v1/audit/holds`: legal holds on the audit log. While one is not released, no record is archived or removed. */
import type { AuditHold, HoldStore } from '../../audit/archive/hold-store.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Denial } from '../../kernel/denial.ts';
import type { NewId } from '../../kernel/new-id.ts';
import { type Endpoint, type Json, defineEndpoint, ok } from '../endpoint.ts';
import { renderPage, renderTime } from '../list-page.ts';
import { idParams, listOf, listQuery, z } from '../schemas.ts';

export interface HoldRooms {
  readonly auditHolds: HoldStore;
  readonly clock: Clock;
  readonly newId: NewId;
}

/** Of one organization, not counting what is released. */
const ACTIVE_HOLDS_MAX = 100;
const REASON_CHARACTERS_MAX = 500;
const TAG = 'Audit';

const reason = z
  .string()
  .min(1)
  .max(REASON_CHARACTERS_MAX)
  .regex(/^[^\p{Cc}\p{Cs}\p{Cf}]*$/u, 'must not hold control characters');

const holdView = z
  .object({
    object: z.literal('audit_hold'),
    id: z.string(),
    reason: z.string(),
    active: z.boolean(),
    /** The row was changed outside Keyfold. It holds until it is released. */
    edited: z.boolean(),
    created_by: z.string(),
    created_at: z.string(),
    released_by: z.string().nullable(),
    released_at: z.string().nullable(),
  })
  .openapi('AuditHold');

export function holdEndpoints(rooms: HoldRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'post',
      path: '/v1/audit/holds',
      permission: 'audit:write',
      tag: TAG,
      summary: 'Hold the audit log: until it is released, nothing of it is archived or removed.',
      body: z.strictObject({ reason }),
      response: { status: 201, schema: holdView },
      handle: async ({ principal, body }) => {
        const { id: createdBy, organizationId } = principal.key;
        if ((await rooms.auditHolds.countActive(organizationId)) >= ACTIVE_HOLDS_MAX) {
          return new Denial('conflict', {
            message: `There are ${ACTIVE_HOLDS_MAX} holds already. Release one that is not needed.`,
          });
        }
        const hold = {
          id: rooms.newId('auditHold'),
          organizationId,
          reason: body.reason,
          createdBy,
          createdAtMs: rooms.clock.nowMs(),
        };
        const whole = { ...hold, releasedBy: undefined, releasedAtMs: undefined, isEdited: false };
        return {
          steps: rooms.auditHolds.setSteps(hold),
          events: [{ action: 'audit.hold_set', target: hold.id, detail: { reason: hold.reason } }],
          reply: { status: 201, body: renderHold(whole) },
          isAdditive: true,
        };
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/audit/holds',
      permission: 'audit:read',
      tag: TAG,
      summary: 'List legal holds, newest first, with those that were released.',
      query: listQuery,
      response: { status: 200, schema: listOf(holdView) },
      handle: async ({ principal, query }) => {
        const holds = await rooms.auditHolds.list({ ...query, organizationId: principal.key.organizationId });
        return ok(renderPage(holds, query, { id: ({ id }) => id, view: renderHold }));
      },
    }),
    defineEndpoint({
      method: 'delete',
      path: '/v1/audit/holds/{id}',
      permission: 'audit:write',
      tag: TAG,
      summary: 'Release a legal hold. It stays in the list, with who released it.',
      params: idParams,
      response: { status: 200, schema: holdView },
      handle: async ({ principal, params }) => {
        const { id: releasedBy, organizationId } = principal.key;
        const hold = await rooms.auditHolds.find(organizationId, params.id);
        if (hold === undefined) return new Denial('not_found');
        if (hold.releasedAtMs !== undefined && !hold.isEdited) {
          return new Denial('conflict', { message: 'The hold was released already.' });
        }
        const released = { ...hold, releasedBy, releasedAtMs: rooms.clock.nowMs() };
        const edited = hold.isEdited ? { edited: true } : {};
        return {
          steps: [rooms.auditHolds.releaseStep(hold, released)],
          events: [
            { action: 'audit.hold_released', target: hold.id, detail: { reason: hold.reason, ...edited } },
          ],
          reply: ok(renderHold({ ...released, isEdited: false })),
          isAdditive: true,
        };
      },
    }),
  ];
}

function renderHold(hold: Omit<AuditHold, 'mac'>): Json {
  return {
    object: 'audit_hold',
    id: hold.id,
    reason: hold.reason,
    active: hold.releasedAtMs === undefined || hold.isEdited,
    edited: hold.isEdited,
    created_by: hold.createdBy,
    created_at: renderTime(hold.createdAtMs),
    released_by: hold.releasedBy ?? null,
    released_at: renderTime(hold.releasedAtMs),
  };
}
