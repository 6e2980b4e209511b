/** Test support: a key with a past: a week of calls that the ledger has settled, and networks that it was seen in. */
import { join } from 'node:path';
import { nanos } from '@keyfold/protocol';
import { SightingStore } from '../../src/alerts/sighting-store.ts';
import { AuditLog } from '../../src/audit/audit-log.ts';
import { createNewId } from '../../src/kernel/new-id.ts';
import { SystemRandom } from '../../src/kernel/random.ts';
import { KeyIssuer } from '../../src/keys/issue-key.ts';
import { ORDINARY } from '../../src/keys/key.ts';
import { KeyHasher } from '../../src/keys/key-hash.ts';
import { KeyStore } from '../../src/keys/key-store.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { Config } from '../../src/main.ts';
import { openRootKey } from '../../src/sealing/root-key.ts';
import { RowMac } from '../../src/sealing/row-mac.ts';
import type { Database } from '../../src/storage/database.ts';
import { PostgresDatabase } from '../../src/storage/postgres/postgres-database.ts';
import { SqliteDatabase } from '../../src/storage/sqlite/sqlite-database.ts';
import { ProjectStore } from '../../src/tenants/project-store.ts';
import { newBoot } from '../databases.ts';
import { reserved, resolution } from '../ledger-house.ts';
import { ManualClock } from '../manual-clock.ts';

const HOUR_MS = 3_600_000;
const DAYS = 8;
const TAUGHT_CALLS = 500;

export interface Past {
  readonly costPerHour: bigint;
  /** As rules know it. */
  readonly network: string;
}

/** Made in the database before the server starts, by the rooms that make it in a server. Returns the key's secret and id. */
export async function addUsualKey(config: Config, past: Past): Promise<{ secret: string; id: string }> {
  const nowMs = Date.now();
  const clock = new ManualClock(nowMs - DAYS * 24 * HOUR_MS);
  const database = await open(config, clock);
  const random = new SystemRandom();
  const newId = createNewId(clock, random);
  const rootKey = openRootKey(config.rootKeyFile, random);
  const hasher = new KeyHasher(rootKey);
  const store = new KeyStore(database, new RowMac(rootKey));
  const project = await new ProjectStore(database).findOldest();
  if (project === undefined) throw new Error('the first start makes a project');
  const { organizationId, id: projectId } = project;
  const limits = { requestsPerMinute: undefined, tokensPerMinute: undefined, concurrentRequests: undefined };
  const issued = new KeyIssuer({ store, hasher, clock, random, newId }).issue({
    ...ORDINARY,
    organizationId,
    projectId,
    kind: 'live',
    name: 'usual',
    permissions: ['chat'],
    models: undefined,
    networks: undefined,
    limits,
    expiresAtMs: undefined,
    autoRotate: false,
    rotationIntervalS: 86_400,
    metadata: undefined,
  });
  const { id } = issued.key;
  await database.commit({ steps: issued.steps });
  const sighting = { keyId: id, kind: 'network', value: past.network, atMs: clock.nowMs() } as const;
  const sightings = new SightingStore(database);
  await database.commit({ steps: sightings.rememberSteps({ ...sighting, calls: TAUGHT_CALLS }) });
  const ledger = new Ledger({ database, audit: new AuditLog(database, clock), clock, newId });
  const [organization] = await database.read((db) =>
    db.selectFrom('organizations').select('revision').where('id', '=', organizationId),
  );
  const call = {
    organizationId,
    projectId,
    keyId: id,
    keyVersion: 1,
    endpoint: 'chat.completions',
    provider: 'openai-compatible',
    model: 'usual',
    credentialId: undefined,
    streamed: false,
    attempt: 1,
    route: undefined,
  };
  for (; clock.nowMs() < nowMs - HOUR_MS / 2; clock.advance(HOUR_MS)) {
    const reservation = reserved(
      await ledger.reserve({
        call: { ...call, requestId: newId('request') },
        budgets: [],
        credit: undefined,
        amount: nanos(past.costPerHour),
        estimate: nanos(past.costPerHour),
        claims: [],
        organizationRevision: Number(organization?.revision ?? 1n),
      }),
    );
    await ledger.resolve(reservation, resolution('settlement', past.costPerHour));
  }
  await database.close();
  return { secret: issued.secret, id };
}

function open(config: Config, clock: ManualClock): Promise<Database> {
  const options = { boot: newBoot(), nowMs: () => clock.nowMs() };
  return config.databaseUrl === undefined
    ? SqliteDatabase.open({ directory: join(config.dataDir, 'data'), ...options })
    : PostgresDatabase.open({ url: config.databaseUrl, ...options });
}
