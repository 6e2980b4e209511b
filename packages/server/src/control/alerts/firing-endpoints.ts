/** What alert rules have found, and what became of the messages about it. */
import type { Delivery, DeliveryStore } from '../../alerts/delivery-store.ts';
import type { Firing, FiringStore } from '../../alerts/firing-store.ts';
import { type Endpoint, type Json, defineEndpoint, ok } from '../endpoint.ts';
import { renderPage, renderTime } from '../list-page.ts';
import { listOf, listQuery, z } from '../schemas.ts';

export interface FiringRooms {
  readonly firings: FiringStore;
  readonly deliveries: DeliveryStore;
}

const TAG = 'Alerts';
const STATES = ['pending', 'delivered', 'failed'] as const;
const id = z.string().max(100).optional();

const firingView = z
  .object({
    object: z.literal('alert_firing'),
    id: z.string(),
    rule_id: z.string(),
    subject: z.string(),
    fired_at: z.string(),
    /** When its key was resumed. */
    cleared_at: z.string().nullable(),
    detail: z.looseObject({}),
  })
  .openapi('AlertFiring');

const deliveryView = z
  .object({
    object: z.literal('alert_delivery'),
    id: z.string(),
    webhook_id: z.string(),
    firing_id: z.string(),
    state: z.enum(STATES),
    attempts: z.number(),
    next_attempt_at: z.string().nullable(),
    last_status: z.number().nullable(),
    last_error: z.string().nullable(),
    created_at: z.string(),
    ended_at: z.string().nullable(),
  })
  .openapi('AlertDelivery');

export function firingEndpoints(rooms: FiringRooms): Endpoint[] {
  return [
    defineEndpoint({
      method: 'get',
      path: '/v1/alerts/firings',
      permission: 'alerts:read',
      tag: TAG,
      summary: 'List what alert rules have found and done, newest first.',
      query: listQuery.extend({ rule_id: id, subject: id }),
      response: { status: 200, schema: listOf(firingView) },
      handle: async ({ principal, query }) => {
        const { organizationId } = principal.key;
        const firings = await rooms.firings.list({ ...query, organizationId, ruleId: query.rule_id });
        return ok(renderPage(firings, query, { id: (firing) => firing.id, view: renderFiring }));
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/alerts/deliveries',
      permission: 'alerts:read',
      tag: TAG,
      summary: 'List messages to webhooks with how their delivery stands, newest first.',
      query: listQuery.extend({ webhook_id: id, state: z.enum(STATES).optional() }),
      response: { status: 200, schema: listOf(deliveryView) },
      handle: async ({ principal, query }) => {
        const { organizationId } = principal.key;
        const found = await rooms.deliveries.list({ ...query, organizationId, webhookId: query.webhook_id });
        return ok(renderPage(found, query, { id: (delivery) => delivery.id, view: renderDelivery }));
      },
    }),
  ];
}

function renderFiring(firing: Firing): Json {
  return {
    object: 'alert_firing',
    id: firing.id,
    rule_id: firing.ruleId,
    subject: firing.subject,
    fired_at: renderTime(firing.atMs),
    cleared_at: renderTime(firing.clearedAtMs),
    detail: firing.detail as Json,
  };
}

function renderDelivery(delivery: Delivery): Json {
  return {
    object: 'alert_delivery',
    id: delivery.id,
    webhook_id: delivery.webhookId,
    firing_id: delivery.firingId,
    state: delivery.state,
    attempts: delivery.attempts,
    next_attempt_at: delivery.state === 'pending' ? renderTime(delivery.nextAtMs) : null,
    last_status: delivery.lastStatus ?? null,
    last_error: delivery.lastError ?? null,
    created_at: renderTime(delivery.createdAtMs),
    ended_at: renderTime(delivery.endedAtMs),
  };
}
