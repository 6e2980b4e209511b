/** Opens the rooms of a process, from storage up, each with what it needs and no more. */
import { join } from 'node:path';
import { DeliveryStore } from './alerts/delivery-store.ts';
import { FiringStore } from './alerts/firing-store.ts';
import { RuleStore } from './alerts/rule-store.ts';
import { SightingStore } from './alerts/sighting-store.ts';
import { WebhookStore } from './alerts/webhook-store.ts';
import { HoldStore } from './audit/archive/hold-store.ts';
import { AuditLog } from './audit/audit-log.ts';
import { RefusalSummary } from './audit/refusal-summary.ts';
import { Checkpointer } from './audit/checkpoints/checkpointer.ts';
import { CheckpointStore } from './audit/checkpoints/checkpoint-store.ts';
import { AuditSinks } from './audit/sinks/audit-sinks.ts';
import { readWitness } from './audit/sinks/checkpoint-file.ts';
import { hasPositions } from './audit/sinks/sink-positions.ts';
import { openSinks } from './audit/sinks/open-sinks.ts';
import type { Config } from './config/index.ts';
import { ProjectStore } from './tenants/project-store.ts';
import { CredentialStore } from './credentials/credential-store.ts';
import { IdempotentCalls } from './idempotency/idempotent-calls.ts';
import { systemClock } from './kernel/clock.ts';
import { SteadyClock } from './kernel/steady-clock.ts';
import { createNewId } from './kernel/new-id.ts';
import { SystemRandom } from './kernel/random.ts';
import { Authenticator } from './keys/authenticate.ts';
import { VersionUses } from './keys/version-uses.ts';
import { KeyIssuer } from './keys/issue-key.ts';
import { KeyHasher } from './keys/key-hash.ts';
import { KeyStore } from './keys/key-store.ts';
import { KeySweep } from './keys/key-sweep.ts';
import { BudgetStore } from './ledger/budget-store.ts';
import { Corrections } from './ledger/corrections.ts';
import { CreditStore } from './ledger/credit/credit-store.ts';
import { RateStore } from './ledger/credit/rate-store.ts';
import { Ledger } from './ledger/ledger.ts';
import { MeasuredCosts } from './ledger/measured-costs.ts';
import { LedgerReports } from './ledger/reports.ts';
import { MemoryLimiter } from './limits/memory-limiter.ts';
import { PriceStore } from './pricing/price-store.ts';
import { TokenCounter } from './gateway/settling/token-counter.ts';
import { Balancer } from './routing/balance.ts';
import { RouteStore } from './routing/route-store.ts';
import { Door } from './signing/door.ts';
import { NonceStore } from './signing/nonce-store.ts';
import { SigningSecrets } from './signing/signing-secrets.ts';
import { AuditMac } from './sealing/audit-mac.ts';
import { CheckpointKey } from './sealing/checkpoint-key.ts';
import { checkRootKey } from './sealing/check-root-key.ts';
import { type RootKey, openRootKey } from './sealing/root-key.ts';
import { RowMac } from './sealing/row-mac.ts';
import { Sealer } from './sealing/sealer.ts';
import type { Database } from './storage/database.ts';
import type { DatabasePlace } from './storage/reader.ts';
import type { PostgresOptions } from './storage/postgres/postgres-database.ts';
import { SqliteDatabase } from './storage/sqlite/sqlite-database.ts';
import { createLogger } from './telemetry/logger.ts';
import { Metrics } from './telemetry/metrics.ts';
import { Telemetry } from './telemetry/telemetry.ts';
import { DEFAULT_POOL_LIMITS, UpstreamPools } from './upstream/pools.ts';
import { WebhookPools } from './upstream/webhook-pools.ts';
import { TargetHealth } from './upstream/target-health.ts';

export type House = Awaited<ReturnType<typeof openHouse>>;

export async function openHouse(config: Config) {
  const log = createLogger(config.logLevel);
  const clock = new SteadyClock(systemClock, (byMs) =>
    log.error(
      { by_ms: byMs },
      "the machine's clock jumped: it is not followed until it has stayed for a minute",
    ),
  );
  const random = new SystemRandom();
  const newId = createNewId(clock, random);
  const configuredSinks = openSinks(config, clock);
  const database = await openDatabase(config, {
    boot: random.bytes(6).toString('hex'),
    nowMs: () => clock.nowMs(),
  });
  const rootKey = await unlock(config, { database, random });
  const mac = new RowMac(rootKey);
  const sealer = new Sealer(rootKey, random);
  const hasher = new KeyHasher(rootKey);
  const auditMac = new AuditMac(rootKey);
  const audit = new AuditLog(database, clock, (secret) => auditMac.of(secret));
  const checkpointKey = new CheckpointKey(rootKey);
  const keys = new KeyStore(database, mac);
  const budgets = new BudgetStore({ database, mac, clock });
  const credits = new CreditStore({ database, mac, clock });
  const ledger = new Ledger({ database, audit, clock, newId });
  const authenticator = new Authenticator({ store: keys, hasher, clock });
  const signingSecrets = new SigningSecrets({ database, mac, sealer, hasher, clock, random, newId });
  const nonces = new NonceStore(database, clock);
  const uses = new VersionUses(database, clock);
  const health = new TargetHealth(clock);
  const running = new Set<Promise<void>>();
  const metrics = new Metrics({
    callsRunning: () => running.size,
    resolutionsPending: () => ledger.postponed,
    targetsResting: () => health.resting,
    checkpointAgeS: () => checkpointer.sinceLastMs / 1_000,
  });
  const telemetry = new Telemetry(log, metrics);
  const checkpoints = new CheckpointStore(database);
  const checkpointFile = config.auditCheckpointFile;
  const checkpointer: Checkpointer = new Checkpointer({
    database,
    store: checkpoints,
    key: checkpointKey,
    audit,
    clock,
    readWitness: async (node) =>
      checkpointFile === undefined
        ? undefined
        : readWitness(checkpointFile, {
            node,
            key: checkpointKey,
            mustExist: () => hasPositions(database, 'file'),
          }),
    onSigned: () => sinks.wake(),
    onInconsistent: (of) => telemetry.auditInconsistent(of),
  });
  const sinks: AuditSinks = new AuditSinks(configuredSinks, {
    database,
    store: checkpoints,
    clock,
    lagMs: config.auditSinkLagMs,
    key: checkpointKey,
    checkpointer,
    refuses: config.auditSinkRefuses,
    onProblem: (sink, problem) => telemetry.sinkFailed(sink, problem),
    onPending: (sink, pending) => telemetry.sinkPending(sink, pending),
  });
  const core = {
    clock,
    random,
    mac,
    auditMac,
    newId,
    database,
    audit,
    auditHolds: new HoldStore({ database, mac }),
    keys,
    keySweep: new KeySweep(database),
    ledger,
    idempotentCalls: new IdempotentCalls({ database, sealer, clock }),
    hasher,
    authenticator,
    signingSecrets,
    nonces,
    uses,
    door: new Door({ authenticator, signingSecrets, nonces, uses, clock }),
    issuer: new KeyIssuer({ store: keys, hasher, clock, random, newId }),
    budgets,
    credits,
    corrections: new Corrections({ database, budgets, credits, clock }),
    rates: new RateStore({ database, mac }),
    credentials: new CredentialStore({ database, sealer, clock }),
    prices: new PriceStore(database, clock),
    projects: new ProjectStore(database),
    routes: new RouteStore({ database, mac, clock }),
    alertRules: new RuleStore({ database, mac, clock }),
    firings: new FiringStore(database),
    sightings: new SightingStore(database),
    webhooks: new WebhookStore({ database, sealer, mac }),
    deliveries: new DeliveryStore(database),
    webhookPools: new WebhookPools(config.webhookNetworks),
    health,
    measured: new MeasuredCosts(),
    balancer: new Balancer(),
    counter: new TokenCounter((error) => telemetry.jobFailed('count tokens', error)),
    reports: new LedgerReports(database, clock),
    limiter: new MemoryLimiter(clock),
    checkpointKey,
    checkpoints,
    checkpointer,
    sinks,
    refusals: new RefusalSummary({ audit, clock, onAlarm: (error) => telemetry.canaryUsed(error) }),
  };
  const pools = new UpstreamPools({
    ...DEFAULT_POOL_LIMITS,
    headersTimeoutMs: config.providerHeadersTimeoutMs,
    bodyTimeoutMs: config.providerIdleTimeoutMs,
  });
  return { core, sealer, log, metrics, telemetry, pools, running, isStopping: false };
}

async function unlock(
  config: Config,
  of: { readonly database: Database; readonly random: SystemRandom },
): Promise<RootKey> {
  try {
    const rootKey = openRootKey(config.rootKeyFile, of.random);
    await checkRootKey(of.database, rootKey);
    return rootKey;
  } catch (error) {
    await of.database.close();
    throw error;
  }
}

export function databasePlace({ databaseUrl, dataDir }: Config): DatabasePlace {
  return databaseUrl === undefined
    ? { dialect: 'sqlite', directory: join(dataDir, 'data') }
    : { dialect: 'postgres', url: databaseUrl };
}

async function openDatabase(
  config: Config,
  of: { readonly boot: string; readonly nowMs: () => number },
): Promise<Database> {
  const place = databasePlace(config);
  return place.dialect === 'sqlite'
    ? SqliteDatabase.open({ ...place, ...of })
    : openPostgres({ ...place, ...of });
}

/** Loaded where it is used: the driver's memory is spared where SQLite serves. */
async function openPostgres(options: PostgresOptions): Promise<Database> {
  const { PostgresDatabase } = await import('./storage/postgres/postgres-database.ts');
  return PostgresDatabase.open(options);
}
