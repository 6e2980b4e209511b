import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Id, formatSecret } from '@keyfold/protocol';
import { DATABASE_KINDS, type DatabasePlace } from '../../test/databases.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { Denial } from '../kernel/denial.ts';
import { createNewId } from '../kernel/new-id.ts';
import { SystemRandom } from '../kernel/random.ts';
import { RootKey } from '../sealing/root-key.ts';
import { RowMac } from '../sealing/row-mac.ts';
import type { Database } from '../storage/database.ts';
import { Authenticator } from './authenticate.ts';
import { KeyIssuer, type KeyRules, type RotatedKey } from './issue-key.ts';
import { type KeyWithVersions, ORDINARY } from './key.ts';
import { KeyHasher } from './key-hash.ts';
import { KeyStore } from './key-store.ts';
import { VersionUses } from './version-uses.ts';

const organizationId = 'org_00000000' as Id<'organization'>;
const RULES: KeyRules = {
  ...ORDINARY,
  organizationId,
  projectId: 'prj_00000000' as Id<'project'>,
  kind: 'live',
  name: 'app',
  permissions: ['chat'],
  models: ['gpt-*'],
  networks: undefined,
  limits: { requestsPerMinute: 60, tokensPerMinute: undefined, concurrentRequests: 5 },
  expiresAtMs: undefined,
  autoRotate: false,
  rotationIntervalS: 86_400,
  metadata: { team: 'search' },
};

for (const kind of DATABASE_KINDS) {
  describe(`keys on ${kind.name}`, () => {
    const clock = new ManualClock();
    const random = new SystemRandom();
    const rootKey = new RootKey(Buffer.alloc(32, 3));
    let place: DatabasePlace;
    let database: Database;
    let store: KeyStore;
    let issuer: KeyIssuer;
    let authenticator: Authenticator;

    before(async () => {
      place = await kind.create();
      database = await place.open({ nowMs: () => clock.nowMs() });
      await database.commit({
        steps: [
          database.step((db) =>
            db
              .insertInto('organizations')
              .values({ id: organizationId, name: 'o', created_at: 0, revision: 7 }),
          ),
        ],
      });
      store = new KeyStore(database, new RowMac(rootKey));
      const hasher = new KeyHasher(rootKey);
      issuer = new KeyIssuer({ store, hasher, clock, random, newId: createNewId(clock, random) });
      authenticator = new Authenticator({ store, hasher, clock });
    });
    after(async () => {
      await database.close();
      await place.remove();
    });

    const issue = async (change: Partial<KeyRules> = {}) => {
      const issued = issuer.issue({ ...RULES, ...change });
      await database.commit({ steps: issued.steps });
      return issued;
    };
    const codeOf = async (secret: string | undefined) => {
      const answer = await authenticator.authenticate(secret);
      return answer instanceof Denial ? answer.code : 'valid';
    };
    const rotate = (current: KeyWithVersions, graceS: number): RotatedKey => {
      const rotated = issuer.rotate(current, { graceS, rotationId: undefined, replacesUnused: false });
      assert.ok(!(rotated instanceof Denial), 'the rotation was refused');
      return rotated;
    };
    const load = async (id: string) =>
      (await store.find(organizationId, id)) ?? assert.fail('the key is there');

    test('an issued key authenticates as itself with all its rules, and only its hash is stored', async () => {
      const { key, secret } = await issue();
      const principal = await authenticator.authenticate(secret);
      assert.ok(!(principal instanceof Denial));
      assert.deepEqual(principal.key, key);
      assert.equal(principal.organizationRevision, 7);
      const rows = await database.read((db) =>
        db.selectFrom('key_versions').selectAll().where('key_id', '=', key.id),
      );
      assert.doesNotMatch(
        JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)),
        new RegExp(secret),
      );
    });

    test('what is malformed, has a wrong checksum or is a signing secret is refused without touching storage', async () => {
      const nowhere = new Authenticator({
        store: new KeyStore(
          { ...database, read: () => assert.fail('storage was read') } as Database,
          new RowMac(rootKey),
        ),
        hasher: new KeyHasher(rootKey),
        clock,
      });
      const valid = formatSecret('live', random.bytes(32));
      const wrong = valid.slice(0, -1) + (valid.endsWith('0') ? '1' : '0');
      for (const secret of [
        undefined,
        '',
        'sk-123',
        wrong,
        `${valid} `,
        formatSecret('sig', random.bytes(32)),
      ]) {
        const answer = await nowhere.authenticate(secret);
        assert.ok(answer instanceof Denial && answer.code === 'invalid_api_key', String(secret));
      }
    });

    test('an unknown key with a right checksum is refused in the same words', async () => {
      assert.equal(await codeOf(formatSecret('live', random.bytes(32))), 'invalid_api_key');
    });

    test('rotation keeps the id; the old version works through its grace and not a millisecond longer', async () => {
      const { key, secret } = await issue();
      const rotated = rotate(await load(key.id), 300);
      assert.deepEqual(await database.commit({ steps: rotated.steps }), { committed: true });
      authenticator.forget();
      assert.equal(rotated.previousExpiresAtMs, clock.nowMs() + 300_000);
      assert.deepEqual([await codeOf(secret), await codeOf(rotated.secret)], ['valid', 'valid']);
      clock.advance(299_999);
      assert.deepEqual([await codeOf(secret), await codeOf(rotated.secret)], ['valid', 'valid']);
      clock.advance(1);
      assert.deepEqual([await codeOf(secret), await codeOf(rotated.secret)], ['key_expired', 'valid']);
      const found = await load(key.id);
      assert.deepEqual(
        found.versions.map((version) => version.version),
        [2, 1],
      );
      assert.equal((await load(found.versions[1]?.id ?? '')).key.id, key.id, 'a version id finds its key');
    });

    test('of two rotations that meet one takes effect', async () => {
      const { key } = await issue();
      const current = await load(key.id);
      const outcomes = await Promise.all([
        database.commit({ steps: rotate(current, 0).steps }),
        database.commit({ steps: rotate(current, 0).steps }),
      ]);
      assert.deepEqual(
        outcomes.map((outcome) => outcome.committed),
        [true, false],
      );
      assert.equal((await load(key.id)).versions.length, 2);
    });

    test('while a version is in its grace no other is added, unless none is to go on', async () => {
      const { key, secret } = await issue();
      const second = rotate(await load(key.id), 10);
      await database.commit({ steps: second.steps });
      const ask = async (graceS: number, replacesUnused: boolean) =>
        issuer.rotate(await load(key.id), { graceS, replacesUnused, rotationId: undefined });
      const refused = await ask(1_000, false);
      assert.ok(refused instanceof Denial && refused.code === 'conflict');
      const third = await ask(0, false);
      assert.ok(!(third instanceof Denial));
      await database.commit({ steps: third.steps });
      authenticator.forget();
      assert.deepEqual(
        [await codeOf(secret), await codeOf(second.secret), await codeOf(third.secret)],
        ['key_expired', 'key_expired', 'valid'],
      );
    });

    test('whose answer was lost may renew again: the version that nobody used is replaced, the grace stands', async () => {
      const { key, secret } = await issue();
      const lost = rotate(await load(key.id), 10);
      await database.commit({ steps: lost.steps });
      const again = issuer.rotate(await load(key.id), {
        graceS: 1_000,
        replacesUnused: true,
        rotationId: undefined,
      });
      assert.ok(!(again instanceof Denial));
      await database.commit({ steps: again.steps });
      authenticator.forget();
      assert.deepEqual(
        [await codeOf(secret), await codeOf(lost.secret), await codeOf(again.secret)],
        ['valid', 'key_expired', 'valid'],
      );
      clock.advance(10_000);
      assert.equal(await codeOf(secret), 'key_expired');
    });

    test('a replaced version can be ended early and kept longer, the newest in use and an ended one cannot', async () => {
      const { key, secret } = await issue();
      await database.commit({ steps: rotate(await load(key.id), 10).steps });
      const end = async (version: number, graceS: number) => {
        const ended = issuer.endVersion(await load(key.id), { version, graceS });
        if (!(ended instanceof Denial)) await database.commit({ steps: ended.steps });
        authenticator.forget();
        return ended instanceof Denial ? ended.code : 'done';
      };
      assert.equal(await end(1, 100), 'done');
      clock.advance(99_999);
      assert.equal(await codeOf(secret), 'valid');
      assert.equal(await end(1, 0), 'done');
      assert.equal(await codeOf(secret), 'key_expired');
      assert.deepEqual([await end(1, 10), await end(3, 0)], ['conflict', 'not_found']);
      const uses = new VersionUses(database, clock);
      uses.count((await load(key.id)).versions[0]?.id ?? '');
      await uses.flush();
      // The first use was being written already.
      await database.barrier();
      assert.equal(await end(2, 0), 'conflict');
    });

    test('revocation beats everything, and expiry needs no sweep', async () => {
      const { key, secret } = await issue({ expiresAtMs: clock.nowMs() + 5_000 });
      assert.equal(await codeOf(secret), 'valid');
      clock.advance(5_000);
      assert.equal(await codeOf(secret), 'key_expired');
      await database.commit({
        steps: [store.updateStep({ ...(await load(key.id)).key, revokedAtMs: clock.nowMs() })],
      });
      authenticator.forget();
      assert.equal(await codeOf(secret), 'key_revoked');
    });

    test('a version that rotates by itself lives its interval and the grace', async () => {
      const { secret } = await issue({ autoRotate: true, rotationIntervalS: 3_600 });
      clock.advance(3_600_000 + 299_999);
      assert.equal(await codeOf(secret), 'valid');
      clock.advance(1);
      assert.equal(await codeOf(secret), 'key_expired');
    });

    test('a key row that was edited in the database is refused', async () => {
      const { key, secret } = await issue();
      await database.commit({
        steps: [
          database.step((db) =>
            db.updateTable('keys').set({ requests_per_minute: 1_000_000 }).where('id', '=', key.id),
          ),
        ],
      });
      assert.equal(await codeOf(secret), 'invalid_api_key');
    });

    test('a version that was moved to another key in the database is refused', async () => {
      const { secret, version } = await issue();
      const better = await issue({ permissions: ['chat', 'embeddings'] });
      await database.commit({
        steps: [
          database.step((db) =>
            db
              .updateTable('key_versions')
              .set({ key_id: better.key.id, version: 2 })
              .where('id', '=', version.id),
          ),
        ],
      });
      assert.equal(await codeOf(secret), 'invalid_api_key');
    });

    test("another organization's key is not found", async () => {
      const { key } = await issue();
      assert.equal(await store.find('org_other000' as Id<'organization'>, key.id), undefined);
    });
  });
}
