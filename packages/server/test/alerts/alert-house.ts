/** Test support: what judges records, fires and delivers, over a real database, as one process of several would. */
import { type Id, formatUsd, nanos } from '@keyfold/protocol';
import { MessageChannel } from 'node:worker_threads';
import { DeliveryStore } from '../../src/alerts/delivery-store.ts';
import { FiringStore } from '../../src/alerts/firing-store.ts';
import { AlertWatch } from '../../src/alerts/judging/alert-watch.ts';
import { serveJudge } from '../../src/alerts/judging/judge-desk.ts';
import { JudgeLink } from '../../src/alerts/judging/judge-link.ts';
import { RuleFollower } from '../../src/alerts/judging/rule-follower.ts';
import type { Condition, Finding, Rule } from '../../src/alerts/rule.ts';
import { RuleStore } from '../../src/alerts/rule-store.ts';
import { SightingStore } from '../../src/alerts/sighting-store.ts';
import { type Webhook, WebhookStore } from '../../src/alerts/webhook-store.ts';
import { AuditLog } from '../../src/audit/audit-log.ts';
import { type StoredEvent, readEvent } from '../../src/audit/stored-event.ts';
import { RecordSource } from '../../src/audit/reading/record-source.ts';
import { AlertDeliverer } from '../../src/jobs/deliver-alerts.ts';
import { fireAlert } from '../../src/jobs/fire-alert.ts';
import { createNewId } from '../../src/kernel/new-id.ts';
import { SystemRandom } from '../../src/kernel/random.ts';
import { KeyIssuer, type KeyRules } from '../../src/keys/issue-key.ts';
import { type Key, ORDINARY } from '../../src/keys/key.ts';
import { KeyHasher } from '../../src/keys/key-hash.ts';
import { KeyStore } from '../../src/keys/key-store.ts';
import { RootKey } from '../../src/sealing/root-key.ts';
import { RowMac } from '../../src/sealing/row-mac.ts';
import { Sealer } from '../../src/sealing/sealer.ts';
import type { Database } from '../../src/storage/database.ts';
import type { DatabaseReader } from '../../src/storage/reader.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { Telemetry } from '../../src/telemetry/telemetry.ts';
import { ProjectStore } from '../../src/tenants/project-store.ts';
import { WebhookPools } from '../../src/upstream/webhook-pools.ts';
import type { ManualClock } from '../manual-clock.ts';

const organizationId = 'org_00000000' as Id<'organization'>;
const projectId = 'prj_00000000' as Id<'project'>;
export const DOLLAR = 1_000_000_000n;
const SECRET = Buffer.alloc(32, 9);

export type AlertHouse = ReturnType<typeof openAlertHouse>;

/** What every process of an installation has in common is in the database, once. */
export async function found(database: Database): Promise<void> {
  const organization = { id: organizationId, name: 'o', created_at: 0, revision: 1 };
  await database.commit({
    steps: [database.step((db) => db.insertInto('organizations').values(organization))],
  });
}

/** `own`: reads on a connection of its own, as the audit thread does. */
export function openAlertHouse(database: Database, clock: ManualClock, own?: DatabaseReader) {
  const random = new SystemRandom();
  const rootKey = new RootKey(Buffer.alloc(32, 5));
  const mac = new RowMac(rootKey);
  const newId = createNewId(clock, random);
  const none = () => 0;
  const metrics = new Metrics({
    callsRunning: none,
    resolutionsPending: none,
    targetsResting: none,
    checkpointAgeS: none,
  });
  const audit = new AuditLog(database, clock);
  const keys = new KeyStore(database, mac);
  const edited: string[] = [];
  let forgotten = 0;
  const rooms = {
    database,
    clock,
    audit,
    newId,
    keys,
    projects: new ProjectStore(database),
    alertRules: new RuleStore({ database, mac, clock }),
    firings: new FiringStore(database),
    sightings: new SightingStore(database),
    webhooks: new WebhookStore({ database, sealer: new Sealer(rootKey, random), mac }),
    deliveries: new DeliveryStore(database),
    webhookPools: new WebhookPools(['127.0.0.0/8']),
    telemetry: new Telemetry(createLogger('fatal'), metrics),
    authenticator: { forget: () => void forgotten++ },
  };
  const reader = own ?? {
    dialect: database.dialect,
    read: database.read.bind(database),
    close: () => Promise.resolve(),
  };
  const source = new RecordSource(reader);
  /** What is the audit thread's in a process, and its desk. */
  const openFollower = () => {
    const { port1, port2 } = new MessageChannel();
    const onEdited = (error: Error) => void edited.push(error.message);
    const fire = (finding: Finding) => fireAlert(rooms, finding);
    serveJudge(port1, { ...rooms, fire, onEdited });
    const link = new JudgeLink(port2);
    const observer = new AlertWatch({ reader, clock, link });
    const advance = (positions: ReadonlyMap<number, number>) => link.advance(positions);
    const follower = new RuleFollower({
      reader,
      source,
      observer,
      clock,
      advance,
      onUnreadable: onEdited,
    });
    return { follower, link };
  };
  let { follower, link } = openFollower();
  const follow = async (): Promise<void> => {
    // What was said before an answer has come before it: that rules have changed.
    await link.remember([]);
    do follower.see(await source.edges());
    while (await follower.turn());
  };
  let calls = 0;
  return {
    ...rooms,
    edited,
    deliverer: new AlertDeliverer(rooms),
    forgotten: () => forgotten,
    follow,
    /** As a process that starts anew: nothing is in memory. */
    restart: () => {
      link.close();
      ({ follower, link } = openFollower());
      rooms.alertRules.forget();
    },
    newKey: async (changes: Partial<KeyRules> = {}): Promise<Key> => {
      const issuer = new KeyIssuer({ store: keys, hasher: new KeyHasher(rootKey), clock, random, newId });
      const { key, steps } = issuer.issue({ ...RULES, ...changes });
      await database.commit({ steps });
      return key;
    },
    newRule: async (when: Condition, changes: Partial<Rule> = {}): Promise<Rule> => {
      const id = newId('alertRule');
      const nowMs = clock.nowMs();
      const rule = { ...RULE, id, name: id, when, createdAtMs: nowMs, updatedAtMs: nowMs, ...changes };
      const event = { action: 'alert_rule.created', actor: 'key_admin', target: id } as const;
      await database.commit({
        steps: [
          rooms.alertRules.insertStep(rule),
          audit.step({ ...event, decision: 'allowed', organizationId }),
        ],
      });
      rooms.alertRules.forget();
      return rule;
    },
    newWebhook: async (url: string, ownerId = organizationId): Promise<Webhook> => {
      const id = newId('webhook');
      const nowMs = clock.nowMs();
      const times = { createdAtMs: nowMs, updatedAtMs: nowMs };
      const webhook = { id, organizationId: ownerId, name: id, url, disabledAtMs: undefined, ...times };
      await database.commit({
        steps: [rooms.webhooks.insertStep(webhook, { current: Buffer.from(SECRET) })],
      });
      return webhook;
    },
    newDelivery: async (webhook: Webhook): Promise<string> => {
      const id = newId('message');
      const of = {
        id,
        organizationId: webhook.organizationId,
        webhookId: webhook.id,
        firingId: 'fir_1',
        body: '{"type":"alert.fired"}',
      };
      await database.commit({ steps: [rooms.deliveries.insertStep(of, clock.nowMs())] });
      return id;
    },
    /** The record of a call that was opened. */
    open: (key: Key, held: bigint, address?: string) =>
      audit.record({
        action: 'call.opened',
        actor: key.id,
        target: `res_${++calls}`,
        decision: 'allowed',
        requestId: newId('request'),
        organizationId,
        address,
        detail: { provider: 'openai', model: 'gpt', held_usd: formatUsd(nanos(held)) },
      }),
    keyNow: async (key: Key): Promise<Key> => {
      const now = await keys.findKey(organizationId, key.id);
      if (now === undefined || now === 'tampered') throw new Error('the key is there');
      return now;
    },
    firingsOf: (rule: Rule) => rooms.firings.list({ organizationId, ruleId: rule.id, limit: 100 }),
    delivered: () => rooms.deliveries.list({ organizationId, limit: 100 }),
    revision: async () =>
      (await database.read((db) => db.selectFrom('organizations').select('revision')))[0]?.revision,
    events: async (action: string): Promise<StoredEvent[]> => {
      await database.barrier();
      const rows = await database.read((db) =>
        db.selectFrom('audit_records').select('record').orderBy('node').orderBy('sequence'),
      );
      return rows.map(({ record }) => readEvent(record)).filter((event) => event.action === action);
    },
  };
}

const RULES: KeyRules = {
  ...ORDINARY,
  organizationId,
  projectId,
  kind: 'live',
  name: undefined,
  permissions: ['chat'],
  models: undefined,
  networks: undefined,
  limits: { requestsPerMinute: undefined, tokensPerMinute: undefined, concurrentRequests: undefined },
  expiresAtMs: undefined,
  autoRotate: false,
  rotationIntervalS: 700,
  metadata: undefined,
};

const RULE = {
  organizationId,
  scope: 'organization',
  scopeIds: [],
  webhookIds: [],
  action: { kind: 'none' },
  cooldownS: 3_600,
  isEnabled: true,
} as const;
