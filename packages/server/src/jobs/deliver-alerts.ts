/**
 * Delivers messages to webhooks, as Standard Webhooks advises: one id for all tries, pauses that grow, an end. A message is
 * leased before it is sent, so that two processes never send one at once; one that a receiver has taken is not sent again.
 */
import type { Delivery, DeliveryStore, Tried } from '../alerts/delivery-store.ts';
import type { SealedWebhook, WebhookStore } from '../alerts/webhook-store.ts';
import type { AuditLog } from '../audit/audit-log.ts';
import type { Clock } from '../kernel/clock.ts';
import { Denial } from '../kernel/denial.ts';
import type { Step } from '../storage/statement.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { type WebhookOutcome, postWebhook } from '../upstream/post-webhook.ts';
import type { WebhookPools } from '../upstream/webhook-pools.ts';

/** Pauses after the first, second, … try that failed. After the last one there is none: the message has failed. */
export const PAUSES_S = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400] as const;
/** Webhooks that are spoken to at once; each is sent one message after the other. */
const AT_ONCE_MAX = 32;
/** Of one organization: its receivers, however slow, keep those of another from nothing. */
export const OF_ORGANIZATION_MAX = 16;
const GONE = 410;

export interface DeliverRooms {
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly webhooks: WebhookStore;
  readonly deliveries: DeliveryStore;
  readonly webhookPools: WebhookPools;
  readonly telemetry: Telemetry;
}

export class AlertDeliverer {
  readonly #rooms: DeliverRooms;
  /** By webhook. */
  readonly #running = new Map<string, { readonly organizationId: string; readonly ended: Promise<void> }>();
  /** How tries have ended that could not be written down yet; no more than were sent at once. */
  readonly #unwritten: (() => Promise<unknown>)[] = [];

  constructor(rooms: DeliverRooms) {
    this.#rooms = rooms;
  }

  /** Begins what is due, and waits for none of it: who is slow keeps nobody waiting. */
  async turn(): Promise<void> {
    const { deliveries, clock, telemetry } = this.#rooms;
    // Before anything else is sent: what a receiver has taken must not be taken for due.
    for (let write = this.#unwritten[0]; write !== undefined; write = this.#unwritten[0]) {
      await write();
      this.#unwritten.shift();
    }
    const room = AT_ONCE_MAX - this.#running.size;
    if (room <= 0) return;
    const organizations = [...this.#running.values()].map(({ organizationId }) => organizationId);
    const due = await deliveries.listDue(clock.nowMs(), {
      busy: [...this.#running.keys()],
      busyOrganizations: organizations.filter((id) => !this.#hasRoom(id)),
      limit: room,
    });
    for (const delivery of due) {
      const { webhookId, organizationId } = delivery;
      if (!this.#hasRoom(organizationId)) continue;
      const ended = this.#deliver(delivery)
        .catch((error: unknown) => telemetry.jobFailed('deliver alerts', error))
        .finally(() => this.#running.delete(webhookId));
      this.#running.set(webhookId, { organizationId, ended });
    }
  }

  #hasRoom(organizationId: string): boolean {
    const own = [...this.#running.values()].filter((each) => each.organizationId === organizationId);
    return own.length < OF_ORGANIZATION_MAX;
  }

  /** Resolves when what has begun is over. */
  async drain(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  async #deliver(delivery: Delivery): Promise<void> {
    const { webhooks, deliveries, clock, telemetry } = this.#rooms;
    if (!(await deliveries.lease(delivery, clock.nowMs()))) return;
    const webhook = await webhooks.find(delivery.webhookId);
    const outcome = await this.#post(webhook, delivery);
    const nowMs = clock.nowMs();
    const tried = judge(outcome, { delivery, nowMs });
    telemetry.webhookTried(tried.state === 'pending' ? 'retried' : tried.state);
    const isGone = outcome !== undefined && outcome.status === GONE;
    const steps = isGone && webhook !== undefined ? this.#disable(webhook, nowMs) : [];
    const write = () => deliveries.end(delivery, tried, steps);
    await write().catch((error: unknown) => {
      this.#unwritten.push(write);
      throw error;
    });
  }

  /** `undefined`: there is nobody to send it to. */
  async #post(
    webhook: SealedWebhook | undefined,
    { id, body }: Delivery,
  ): Promise<WebhookOutcome | undefined> {
    if (webhook === undefined || webhook.disabledAtMs !== undefined) return undefined;
    const pool = this.#rooms.webhookPools.poolFor(webhook.id, webhook.url);
    if (pool instanceof Denial) return { delivered: false, reason: 'denied_address', status: undefined };
    const nowMs = this.#rooms.clock.nowMs();
    const keys = this.#rooms.webhooks.open(webhook, nowMs);
    const outcome = await postWebhook(pool, { id, body }, { keys, nowMs });
    for (const key of keys) key.fill(0);
    return outcome;
  }

  /** The receiver has said that it is no more: what waits for it is given up. */
  #disable(webhook: SealedWebhook, nowMs: number): Step[] {
    return [
      this.#rooms.webhooks.disableStep(webhook, nowMs),
      this.#rooms.deliveries.giveUpStep(webhook.id, { error: 'webhook_disabled', nowMs }),
      this.#rooms.audit.step({
        action: 'webhook.disabled',
        actor: 'system',
        target: webhook.id,
        decision: 'allowed',
        organizationId: webhook.organizationId,
        detail: { name: webhook.name, status: GONE },
      }),
    ];
  }
}

function judge(
  outcome: WebhookOutcome | undefined,
  { delivery, nowMs }: { readonly delivery: Delivery; readonly nowMs: number },
): Tried {
  const ended = { nextAtMs: nowMs, nowMs };
  if (outcome === undefined)
    return { ...ended, state: 'failed', status: undefined, error: 'webhook_disabled' };
  const { status } = outcome;
  if (outcome.delivered) return { ...ended, state: 'delivered', status, error: undefined };
  const error = outcome.reason;
  const pauseS = PAUSES_S[delivery.attempts];
  if (status === GONE || pauseS === undefined) return { ...ended, state: 'failed', status, error };
  return { state: 'pending', nextAtMs: nowMs + pauseS * 1_000, nowMs, status, error };
}
