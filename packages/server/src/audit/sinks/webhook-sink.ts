/** Checkpoints to a webhook: one signed delivery each, under an id that is the same at every try. */
import type { Clock } from '../../kernel/clock.ts';
import type { OriginPool } from '../../upstream/pools.ts';
import { type WebhookMessage, postWebhook } from '../../upstream/post-webhook.ts';
import type { StoredCheckpoint } from '../checkpoints/checkpoint-store.ts';
import type { AuditSink, SinkOutcome } from './audit-sink.ts';

export interface WebhookSinkParts {
  readonly pool: OriginPool;
  readonly secret: Buffer;
  readonly clock: Clock;
}

export class WebhookSink implements AuditSink {
  readonly name = 'webhook';
  readonly takesAll = false;
  readonly #parts: WebhookSinkParts;

  constructor(parts: WebhookSinkParts) {
    this.#parts = parts;
  }

  /** One after the other, so that they come in order. */
  async deliver(page: readonly StoredCheckpoint[]): Promise<SinkOutcome> {
    const { pool, secret, clock } = this.#parts;
    for (const [delivered, checkpoint] of page.entries()) {
      const message = renderMessage(checkpoint);
      const outcome = await postWebhook(pool, message, { keys: [secret], nowMs: clock.nowMs() });
      if (outcome.delivered) continue;
      const { reason, status } = outcome;
      return { delivered, problem: reason === 'status' ? `the receiver answered ${status}` : reason };
    }
    return { delivered: page.length, problem: undefined };
  }

  close(): Promise<void> {
    return this.#parts.pool.dispatcher.destroy();
  }
}

function renderMessage({ node, size, atMs, head, note }: StoredCheckpoint): WebhookMessage {
  // A note begins with it.
  const origin = note.slice(0, note.indexOf('\n'));
  const data = { origin, node, size, head, note };
  const timestamp = new Date(atMs).toISOString();
  const body = JSON.stringify({ type: 'audit.checkpoint', timestamp, data });
  return { id: `${origin.replaceAll('/', '-')}-${size}`, body };
}
