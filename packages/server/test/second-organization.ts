/** Test support: another tenant, made in the database before the server starts, since no endpoint makes one. */
import { join } from 'node:path';
import { ProjectStore } from '../src/tenants/project-store.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { createNewId } from '../src/kernel/new-id.ts';
import { SystemRandom } from '../src/kernel/random.ts';
import { KeyIssuer } from '../src/keys/issue-key.ts';
import { EVERY_PERMISSION, ORDINARY } from '../src/keys/key.ts';
import { KeyHasher } from '../src/keys/key-hash.ts';
import { KeyStore } from '../src/keys/key-store.ts';
import type { Config } from '../src/main.ts';
import { openRootKey } from '../src/sealing/root-key.ts';
import { RowMac } from '../src/sealing/row-mac.ts';
import { PostgresDatabase } from '../src/storage/postgres/postgres-database.ts';
import { SqliteDatabase } from '../src/storage/sqlite/sqlite-database.ts';
import { newBoot } from './databases.ts';

/** Returns the organization's admin key, which may do everything in it. */
export async function addOrganization(config: Config): Promise<string> {
  const clock = systemClock;
  const random = new SystemRandom();
  const newId = createNewId(clock, random);
  const options = { boot: newBoot(), nowMs: () => clock.nowMs() };
  const database =
    config.databaseUrl === undefined
      ? await SqliteDatabase.open({ directory: join(config.dataDir, 'data'), ...options })
      : await PostgresDatabase.open({ url: config.databaseUrl, ...options });
  const rootKey = openRootKey(config.rootKeyFile, random);
  const hasher = new KeyHasher(rootKey);
  const issuer = new KeyIssuer({
    store: new KeyStore(database, new RowMac(rootKey)),
    hasher,
    clock,
    random,
    newId,
  });
  const projects = new ProjectStore(database);
  const createdAtMs = clock.nowMs();
  const organization = {
    id: newId('organization'),
    name: 'another',
    leakPolicy: 'quarantine',
    createdAtMs,
  } as const;
  const project = {
    id: newId('project'),
    organizationId: organization.id,
    name: 'default',
    createdAtMs,
  };
  const issued = issuer.issue({
    ...ORDINARY,
    organizationId: organization.id,
    projectId: project.id,
    kind: 'admin',
    name: 'stranger',
    permissions: [EVERY_PERMISSION],
    models: undefined,
    networks: undefined,
    limits: { requestsPerMinute: undefined, tokensPerMinute: undefined, concurrentRequests: undefined },
    expiresAtMs: undefined,
    autoRotate: false,
    rotationIntervalS: 86_400,
    metadata: undefined,
  });
  await database.commit({
    steps: [projects.insertOrganizationStep(organization), projects.insertStep(project), ...issued.steps],
  });
  await database.close();
  return issued.secret;
}
