/** Opens the audit sinks that the operator has configured. Throws with one clear sentence when one cannot be used. */
import type { AuditSink } from './audit-sink.ts';
import { FileSink } from './file-sink.ts';
import { SyslogSink } from './syslog-sink.ts';
import { WebhookSink } from './webhook-sink.ts';
import type { Config } from '../../config/index.ts';
import type { Clock } from '../../kernel/clock.ts';
import { Denial } from '../../kernel/denial.ts';
import { readSecretFile } from '../../sealing/root-key.ts';
import { OF_WEBHOOK, checkBaseUrl, readNetworks } from '../../upstream/egress-policy.ts';
import { DEFAULT_POOL_LIMITS, OriginPool } from '../../upstream/pools.ts';
import { readWebhookSecret } from '../../upstream/post-webhook.ts';

const WEBHOOK = 'KEYFOLD_AUDIT_CHECKPOINT_WEBHOOK';

/** What of the configuration says where checkpoints go. */
export type SinkConfig = Pick<
  Config,
  'webhookNetworks' | 'auditCheckpointFile' | 'auditCheckpointSyslog' | 'auditCheckpointWebhook'
>;

export function openSinks(config: SinkConfig, clock: Clock): readonly AuditSink[] {
  const networks = readNetworks(config.webhookNetworks);
  const {
    auditCheckpointFile: file,
    auditCheckpointSyslog: syslog,
    auditCheckpointWebhook: webhook,
  } = config;
  const sinks: AuditSink[] = [];
  if (file !== undefined) sinks.push(new FileSink(file));
  if (syslog !== undefined) sinks.push(new SyslogSink({ ...syslog, networks }));
  if (webhook !== undefined) {
    const secret = readWebhookSecret(readSecretFile(webhook.secretFile));
    if (secret === undefined) {
      throw new Error(
        `${webhook.secretFile} holds no secret: it must be whsec_ and the base64 of 24 to 64 bytes`,
      );
    }
    const target = checkBaseUrl(webhook.url, networks, OF_WEBHOOK);
    if (target instanceof Denial) {
      throw new Error(
        `${WEBHOOK} is not allowed: ${(target.detail.message ?? '').replace(/^url is not allowed\. /, '')}`,
      );
    }
    sinks.push(new WebhookSink({ clock, secret, pool: new OriginPool(target, DEFAULT_POOL_LIMITS) }));
  }
  return sinks;
}
