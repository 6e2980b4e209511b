/**
 * Responsible for one delivery to a webhook, signed after Standard Webhooks 1.0
 * (https://www.standardwebhooks.com): HMAC-SHA256 over `id.timestamp.body`. When it is tried again is its owner's matter.
 */
import { createHmac } from 'node:crypto';
import { ask } from './ask.ts';
import type { OriginPool } from './pools.ts';
import type { UpstreamFaultKind } from './upstream-fault.ts';

const LIMITS = { bytesMax: 64 * 1_024, timeoutMs: 15_000 };
const SECRET_PREFIX = 'whsec_';
const SECRET_BYTES = { min: 24, max: 64 };

export interface WebhookMessage {
  /** The same at every try, so that a receiver can tell a repeat. */
  readonly id: string;
  /** JSON. */
  readonly body: string;
}

export type WebhookOutcome =
  | { readonly delivered: true; readonly status: number }
  | {
      readonly delivered: false;
      /** `status`: it answered with one that is not 2xx. */
      readonly reason: UpstreamFaultKind | 'status';
      readonly status: number | undefined;
    };

/** The key in `whsec_<base64 of 24 to 64 bytes>`, `undefined` where it is none. */
export function readWebhookSecret(secret: string): Buffer | undefined {
  if (!secret.startsWith(SECRET_PREFIX)) return undefined;
  const encoded = secret.slice(SECRET_PREFIX.length);
  const key = Buffer.from(encoded, 'base64');
  const isExact = key.toString('base64').replaceAll('=', '') === encoded.replaceAll('=', '');
  return isExact && key.length >= SECRET_BYTES.min && key.length <= SECRET_BYTES.max ? key : undefined;
}

export function renderWebhookSecret(key: Buffer): string {
  return SECRET_PREFIX + key.toString('base64');
}

/** `v1,<base64>` for each key, separated by spaces: two while a secret is being replaced. */
export function signWebhook(
  keys: readonly Buffer[],
  { id, body }: WebhookMessage,
  timestampS: number,
): string {
  return keys
    .map((key) => `v1,${createHmac('sha256', key).update(`${id}.${timestampS}.${body}`).digest('base64')}`)
    .join(' ');
}

/** Posts once, through the same door as every call: redirects are not followed. Never rejects. */
export async function postWebhook(
  pool: OriginPool,
  message: WebhookMessage,
  by: { readonly keys: readonly Buffer[]; readonly nowMs: number },
): Promise<WebhookOutcome> {
  const timestampS = Math.floor(by.nowMs / 1_000);
  const body = Buffer.from(message.body, 'utf8');
  const headers = {
    'content-type': 'application/json',
    'content-length': String(body.length),
    'webhook-id': message.id,
    'webhook-timestamp': String(timestampS),
    'webhook-signature': signWebhook(by.keys, message, timestampS),
  };
  const path = pool.basePath === '' ? '/' : '';
  const outcome = await ask(pool, { method: 'POST', path, headers, body }, LIMITS);
  if ('kind' in outcome) return { delivered: false, reason: outcome.kind, status: undefined };
  const { status } = outcome;
  return status >= 200 && status < 300
    ? { delivered: true, status }
    : { delivered: false, reason: 'status', status };
}
