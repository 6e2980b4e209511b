/** What the API shows of a webhook: everything but its secret. */
import type { SealedWebhook, Webhook } from '../../alerts/webhook-store.ts';
import type { Json } from '../endpoint.ts';
import { renderTime } from '../list-page.ts';
import { z } from '../schemas.ts';

export const webhookView = z
  .object({
    object: z.literal('webhook'),
    id: z.string(),
    name: z.string(),
    url: z.string(),
    enabled: z.boolean(),
    disabled_at: z.string().nullable(),
    /** Until when the secret before the last rotation signs, too. */
    previous_secret_until: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
  })
  .openapi('Webhook');

export function renderWebhook(webhook: Webhook & Partial<Pick<SealedWebhook, 'previous'>>): {
  readonly [name: string]: Json;
} {
  return {
    object: 'webhook',
    id: webhook.id,
    name: webhook.name,
    url: webhook.url,
    enabled: webhook.disabledAtMs === undefined,
    disabled_at: renderTime(webhook.disabledAtMs),
    previous_secret_until: renderTime(webhook.previous?.untilMs),
    created_at: renderTime(webhook.createdAtMs),
    updated_at: renderTime(webhook.updatedAtMs),
  };
}
