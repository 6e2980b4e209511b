/** What happens to a webhook: it is added, changed, given another secret, removed. */
import type { DeliveryStore } from '../../alerts/delivery-store.ts';
import type { RuleStore } from '../../alerts/rule-store.ts';
import {
  PREVIOUS_SECRET_MS,
  type SealedWebhook,
  WEBHOOKS_MAX,
  type Webhook,
  type WebhookSecrets,
  type WebhookStore,
} from '../../alerts/webhook-store.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Denial } from '../../kernel/denial.ts';
import type { NewId } from '../../kernel/new-id.ts';
import type { RandomSource } from '../../kernel/random.ts';
import type { Principal } from '../../keys/key.ts';
import type { AuditMac } from '../../sealing/audit-mac.ts';
import { renderWebhookSecret } from '../../upstream/post-webhook.ts';
import type { WebhookPools } from '../../upstream/webhook-pools.ts';
import { type Change, ok } from '../endpoint.ts';
import { name, z } from '../schemas.ts';
import { renderWebhook } from './webhook-view.ts';

export interface WebhookRooms {
  readonly webhooks: WebhookStore;
  readonly deliveries: DeliveryStore;
  readonly alertRules: RuleStore;
  readonly webhookPools: WebhookPools;
  readonly clock: Clock;
  readonly newId: NewId;
  readonly random: RandomSource;
  readonly auditMac: AuditMac;
}

const SECRET_BYTES = 32;
const URL_CHARACTERS_MAX = 2_048;
const url = z.string().min(1).max(URL_CHARACTERS_MAX);
export const createBody = z.strictObject({ name, url });
export const updateBody = z.strictObject({ name, url, enabled: z.boolean() }).partial();

export async function createWebhook(
  rooms: WebhookRooms,
  principal: Principal,
  body: z.infer<typeof createBody>,
): Promise<Change | Denial> {
  const { organizationId } = principal.key;
  const all = await rooms.webhooks.list(organizationId);
  if (all.length >= WEBHOOKS_MAX)
    return new Denial('conflict', { message: `There are ${WEBHOOKS_MAX} webhooks already.` });
  const nowMs = rooms.clock.nowMs();
  const webhook: Webhook = {
    id: rooms.newId('webhook'),
    organizationId,
    name: body.name,
    url: body.url,
    disabledAtMs: undefined,
    createdAtMs: nowMs,
    updatedAtMs: nowMs,
  };
  const refused = check(rooms, webhook, all);
  if (refused !== undefined) return refused;
  const key = rooms.random.bytes(SECRET_BYTES);
  const secret = renderWebhookSecret(key);
  const step = rooms.webhooks.insertStep(webhook, { current: key });
  key.fill(0);
  return {
    steps: [step],
    events: [
      {
        action: 'webhook.created',
        target: webhook.id,
        detail: describe(rooms, webhook),
      },
    ],
    isAdditive: true,
    reply: { status: 201, body: { ...renderWebhook(webhook), secret } },
  };
}

export function updateWebhook(
  rooms: WebhookRooms,
  before: SealedWebhook,
  body: z.infer<typeof updateBody>,
): Promise<Change | Denial> {
  const nowMs = rooms.clock.nowMs();
  const isEnabled = body.enabled ?? before.disabledAtMs === undefined;
  const webhook: Webhook = {
    ...before,
    name: body.name ?? before.name,
    url: body.url ?? before.url,
    disabledAtMs: isEnabled ? undefined : (before.disabledAtMs ?? nowMs),
    updatedAtMs: Math.max(nowMs, before.updatedAtMs + 1),
  };
  return replace(rooms, before, {
    webhook,
    secrets: secretsOf(rooms, before),
    event: {
      action: 'webhook.updated',
      target: webhook.id,
      detail: { before: describe(rooms, before), after: describe(rooms, webhook) },
    },
  });
}

export function rotateWebhook(rooms: WebhookRooms, before: SealedWebhook): Promise<Change | Denial> {
  const nowMs = rooms.clock.nowMs();
  const webhook = { ...before, updatedAtMs: Math.max(nowMs, before.updatedAtMs + 1) };
  const current = rooms.random.bytes(SECRET_BYTES);
  const secret = renderWebhookSecret(current);
  const untilMs = nowMs + PREVIOUS_SECRET_MS;
  const secrets = { current, previous: { key: secretsOf(rooms, before).current, untilMs } };
  const event = { action: 'webhook.rotated', target: webhook.id } as const;
  return replace(rooms, before, { webhook, secrets, event, secret });
}

async function replace(
  rooms: WebhookRooms,
  before: SealedWebhook,
  of: {
    readonly webhook: Webhook;
    readonly secrets: WebhookSecrets;
    readonly event: Change['events'][number];
    readonly secret?: string;
  },
): Promise<Change | Denial> {
  const { webhook, secrets, event, secret } = of;
  const others = (await rooms.webhooks.list(webhook.organizationId)).filter(({ id }) => id !== webhook.id);
  const refused = check(rooms, webhook, others);
  if (refused !== undefined) return refused;
  const step = rooms.webhooks.replaceStep(webhook, { secrets, before });
  for (const key of [secrets.current, secrets.previous?.key]) key?.fill(0);
  const previous = secrets.previous && { sealed: '', untilMs: secrets.previous.untilMs };
  const view = renderWebhook({ ...webhook, previous });
  return {
    steps: [step],
    events: [event],
    isAdditive: true,
    reply: ok(secret === undefined ? view : { ...view, secret }),
  };
}

export async function deleteWebhook(rooms: WebhookRooms, webhook: SealedWebhook): Promise<Change | Denial> {
  const rules = await rooms.alertRules.list(webhook.organizationId);
  const rule = rules.find(({ webhookIds }) => webhookIds.includes(webhook.id));
  if (rule !== undefined)
    return new Denial('conflict', { message: `The alert rule '${rule.name}' tells this webhook.` });
  return {
    steps: [
      rooms.webhooks.removeStep(webhook.id),
      rooms.deliveries.giveUpStep(webhook.id, { error: 'webhook_deleted', nowMs: rooms.clock.nowMs() }),
    ],
    events: [{ action: 'webhook.deleted', target: webhook.id, detail: describe(rooms, webhook) }],
    isAdditive: true,
    afterwards: () => rooms.webhookPools.forget(webhook.id),
    reply: { status: 204, body: undefined },
  };
}

function check(rooms: WebhookRooms, webhook: Webhook, others: readonly Webhook[]): Denial | undefined {
  if (others.some((other) => other.name === webhook.name))
    return new Denial('conflict', { message: `There is a webhook named '${webhook.name}'.`, param: 'name' });
  const origin = rooms.webhookPools.check(webhook.url);
  return origin instanceof Denial ? origin : undefined;
}

/** The keys as they are now, to be sealed anew. */
function secretsOf({ webhooks, clock }: WebhookRooms, webhook: SealedWebhook): WebhookSecrets {
  const [current, previous] = webhooks.open(webhook, clock.nowMs());
  if (current === undefined) throw new TypeError('a webhook has a secret');
  if (previous === undefined || webhook.previous === undefined) return { current };
  return { current, previous: { key: previous, untilMs: webhook.previous.untilMs } };
}

/** For the audit log: the path of a receiver's URL may be known to few, and another path is another receiver. */
function describe({ auditMac }: WebhookRooms, { name: called, url: target, disabledAtMs }: Webhook) {
  const origin = URL.canParse(target) ? new URL(target).origin : '';
  return { name: called, origin, url: auditMac.of(target), enabled: disabledAtMs === undefined };
}
