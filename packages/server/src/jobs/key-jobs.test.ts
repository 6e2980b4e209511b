import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Id } from '@keyfold/protocol';
import { DATABASE_KINDS, type DatabasePlace } from '../../test/databases.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { AuditLog } from '../audit/audit-log.ts';
import { createNewId } from '../kernel/new-id.ts';
import { SystemRandom } from '../kernel/random.ts';
import { KeyIssuer, type KeyRules } from '../keys/issue-key.ts';
import { ORDINARY } from '../keys/key.ts';
import { KeyHasher } from '../keys/key-hash.ts';
import { KeyStore } from '../keys/key-store.ts';
import { KeySweep } from '../keys/key-sweep.ts';
import { RootKey } from '../sealing/root-key.ts';
import { RowMac } from '../sealing/row-mac.ts';
import type { Database } from '../storage/database.ts';
import { createLogger } from '../telemetry/logger.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { Telemetry } from '../telemetry/telemetry.ts';
import { alertEndingVersions } from './alert-ending-versions.ts';
import { ENDED_CHILD_KEPT_MS, pruneChildren } from './prune-children.ts';

const organizationId = 'org_00000000' as Id<'organization'>;
const RULES: KeyRules = {
  ...ORDINARY,
  organizationId,
  projectId: 'prj_00000000' as Id<'project'>,
  kind: 'live',
  name: undefined,
  permissions: ['chat'],
  models: undefined,
  networks: undefined,
  limits: { requestsPerMinute: undefined, tokensPerMinute: undefined, concurrentRequests: undefined },
  expiresAtMs: undefined,
  autoRotate: true,
  rotationIntervalS: 700,
  metadata: undefined,
};
/** The interval and the grace. */
const LIFE_MS = 1_000_000;

for (const kind of DATABASE_KINDS) {
  describe(`what time does to keys on ${kind.name}`, () => {
    const clock = new ManualClock();
    const random = new SystemRandom();
    const rootKey = new RootKey(Buffer.alloc(32, 5));
    const metrics = new Metrics({
      callsRunning: () => 0,
      resolutionsPending: () => 0,
      targetsResting: () => 0,
      checkpointAgeS: () => 0,
    });
    const telemetry = new Telemetry(createLogger('fatal'), metrics);
    let place: DatabasePlace;
    let database: Database;
    let keys: KeyStore;
    let keySweep: KeySweep;
    let issuer: KeyIssuer;
    let audit: AuditLog;

    before(async () => {
      place = await kind.create();
      database = await place.open({ nowMs: () => clock.nowMs() });
      const organization = { id: organizationId, name: 'o', created_at: 0, revision: 1 };
      await database.commit({
        steps: [database.step((db) => db.insertInto('organizations').values(organization))],
      });
      keys = new KeyStore(database, new RowMac(rootKey));
      keySweep = new KeySweep(database);
      audit = new AuditLog(database, clock);
      const parts = { store: keys, hasher: new KeyHasher(rootKey), clock, random };
      issuer = new KeyIssuer({ ...parts, newId: createNewId(clock, random) });
    });
    after(async () => {
      await database.close();
      await place.remove();
    });

    const issue = async (change: Partial<KeyRules> = {}) => {
      const issued = issuer.issue({ ...RULES, ...change });
      await database.commit({ steps: issued.steps });
      return issued.key;
    };
    const sweep = () => alertEndingVersions({ keySweep, database, audit, clock, telemetry });
    const alerts = async () => {
      const rows = await database.read((db) => db.selectFrom('audit_records').select('record'));
      return rows
        .map(({ record }) => JSON.parse(record) as { action: string; target: string })
        .filter(({ action }) => action === 'key.version_ending')
        .map(({ target }) => target);
    };
    const gauge = async () => (await metrics.versionsEnding.get()).values[0]?.value;

    test('that a version ends unrenewed is told once, in the last tenth of its life, and counted until it is over', async () => {
      const [renewed, left, revoked] = [await issue(), await issue(), await issue()];
      await issue({ autoRotate: false });
      clock.advance(LIFE_MS * 0.9 - 1);
      const current = await keys.find(organizationId, renewed.id);
      assert.ok(current);
      const rotation = issuer.rotate(current, { graceS: 300, rotationId: undefined, replacesUnused: false });
      assert.ok('steps' in rotation);
      await database.commit({ steps: rotation.steps });
      await database.commit({ steps: [keys.updateStep({ ...revoked, revokedAtMs: clock.nowMs() })] });
      await sweep();
      assert.deepEqual([await alerts(), await gauge()], [[], 0]);
      clock.advance(2);
      await sweep();
      await sweep();
      assert.deepEqual([await alerts(), await gauge()], [[left.id], 1]);
      clock.advance(LIFE_MS * 0.1);
      await sweep();
      assert.deepEqual([await alerts(), await gauge()], [[left.id], 0]);
    });

    test('a child is forgotten a day after its end, and nothing else is', async () => {
      const parent = await issue({ autoRotate: false });
      const of = { parent: { keyId: parent.id, version: 1 }, autoRotate: false };
      const over = await issue({ ...of, expiresAtMs: clock.nowMs() + 1_000 });
      const alive = await issue({ ...of, expiresAtMs: clock.nowMs() + 2_000 });
      clock.advance(1_001 + ENDED_CHILD_KEPT_MS);
      await pruneChildren({ keySweep, database, clock });
      await database.barrier();
      const found = await Promise.all(
        [parent, over, alive].map(async ({ id }) => (await keys.find(organizationId, id)) !== undefined),
      );
      assert.deepEqual(found, [true, false, true]);
      const left = await database.read((db) =>
        db.selectFrom('key_versions').select('id').where('key_id', '=', over.id),
      );
      assert.deepEqual(left, []);
    });
  });
}
