/** Webhooks: where alerts are told. Create, list, change, delete, renew the secret, test. */
import type { SealedWebhook, Webhook } from '../../alerts/webhook-store.ts';
import { Denial } from '../../kernel/denial.ts';
import type { Principal } from '../../keys/key.ts';
import { postWebhook } from '../../upstream/post-webhook.ts';
import { type Change, type Endpoint, defineEndpoint, ok } from '../endpoint.ts';
import { cutPage, renderPage, renderTime } from '../list-page.ts';
import { idParams, listOf, listQuery, z } from '../schemas.ts';
import {
  type WebhookRooms,
  createBody,
  createWebhook,
  deleteWebhook,
  rotateWebhook,
  updateBody,
  updateWebhook,
} from './webhook-changes.ts';
import { renderWebhook, webhookView } from './webhook-view.ts';

export type { WebhookRooms };

const TAG = 'Webhooks';

const withSecret = webhookView.extend({ secret: z.string() });
const testView = z.object({
  object: z.literal('webhook_test'),
  webhook_id: z.string(),
  message_id: z.string(),
  delivered: z.boolean(),
  status: z.number().nullable(),
  error: z.string().nullable(),
});

export function webhookEndpoints(rooms: WebhookRooms): Endpoint[] {
  const find = async (principal: Principal, id: string) =>
    (await rooms.webhooks.list(principal.key.organizationId)).find((webhook) => webhook.id === id) ??
    new Denial('not_found');
  return [
    defineEndpoint({
      method: 'post',
      path: '/v1/webhooks',
      permission: 'alerts:write',
      tag: TAG,
      summary: 'Add a webhook. The secret that its messages are signed with is in the answer, once.',
      body: createBody,
      response: { status: 201, schema: withSecret },
      handle: ({ principal, body }) => createWebhook(rooms, principal, body),
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/webhooks',
      permission: 'alerts:read',
      tag: TAG,
      summary: 'List webhooks, newest first, without their secrets.',
      query: listQuery,
      response: { status: 200, schema: listOf(webhookView) },
      handle: async ({ principal, query }) => {
        const of = { id: ({ id }: Webhook) => id, view: renderWebhook, order: 'newest' } as const;
        const all = await rooms.webhooks.list(principal.key.organizationId);
        return ok(renderPage(cutPage(all, query, of), query, of));
      },
    }),
    defineEndpoint({
      method: 'get',
      path: '/v1/webhooks/{id}',
      permission: 'alerts:read',
      tag: TAG,
      summary: 'Show a webhook, without its secret.',
      params: idParams,
      response: { status: 200, schema: webhookView },
      handle: async ({ principal, params }) => {
        const found = await find(principal, params.id);
        return found instanceof Denial ? found : ok(renderWebhook(found));
      },
    }),
    defineEndpoint({
      method: 'patch',
      path: '/v1/webhooks/{id}',
      permission: 'alerts:write',
      tag: TAG,
      summary: 'Change the name or URL of a webhook, or turn it off and on.',
      params: idParams,
      body: updateBody,
      response: { status: 200, schema: webhookView },
      handle: async ({ principal, params, body }) => {
        const found = await find(principal, params.id);
        return found instanceof Denial ? found : updateWebhook(rooms, found, body);
      },
    }),
    defineEndpoint({
      method: 'delete',
      path: '/v1/webhooks/{id}',
      permission: 'alerts:write',
      tag: TAG,
      summary: 'Delete a webhook that no rule names. What waits for it is given up.',
      params: idParams,
      response: { status: 204 },
      handle: async ({ principal, params }) => {
        const found = await find(principal, params.id);
        return found instanceof Denial ? found : deleteWebhook(rooms, found);
      },
    }),
    defineEndpoint({
      method: 'post',
      path: '/v1/webhooks/{id}/rotate',
      permission: 'alerts:write',
      tag: TAG,
      summary: 'Give a webhook a new secret. For 24 hours the one before it signs, too.',
      params: idParams,
      response: { status: 200, schema: withSecret },
      handle: async ({ principal, params }) => {
        const found = await find(principal, params.id);
        return found instanceof Denial ? found : rotateWebhook(rooms, found);
      },
    }),
    defineEndpoint({
      method: 'post',
      path: '/v1/webhooks/{id}/test',
      permission: 'alerts:write',
      tag: TAG,
      summary: 'Send a signed message of the type webhook.test, once, and say what became of it.',
      params: idParams,
      response: { status: 200, schema: testView },
      handle: async ({ principal, params }) => {
        const found = await find(principal, params.id);
        return found instanceof Denial ? found : testWebhook(rooms, found);
      },
    }),
  ];
}

/** Nothing is changed; that it was tested is recorded. */
async function testWebhook(rooms: WebhookRooms, webhook: SealedWebhook): Promise<Change | Denial> {
  const pool = rooms.webhookPools.poolFor(webhook.id, webhook.url);
  if (pool instanceof Denial) return pool;
  const id = rooms.newId('message');
  const nowMs = rooms.clock.nowMs();
  const body = JSON.stringify({
    type: 'webhook.test',
    timestamp: renderTime(nowMs),
    data: { webhook_id: webhook.id },
  });
  const keys = rooms.webhooks.open(webhook, nowMs);
  const outcome = await postWebhook(pool, { id, body }, { keys, nowMs });
  for (const key of keys) key.fill(0);
  const { delivered } = outcome;
  const error = outcome.delivered ? null : outcome.reason;
  const status = outcome.status ?? null;
  return {
    steps: [],
    events: [{ action: 'webhook.tested', target: webhook.id, detail: { delivered, status, error } }],
    isAdditive: true,
    reply: ok({
      object: 'webhook_test',
      webhook_id: webhook.id,
      message_id: id,
      delivered,
      status,
      error,
    }),
  };
}
