import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Denial } from '../../src/kernel/denial.ts';
import { renderOpenAiError } from '../../src/kernel/error-bodies.ts';
import { Fault } from '../../src/kernel/fault.ts';
import { SteadyClock } from '../../src/kernel/steady-clock.ts';
import { Door } from '../../src/signing/door.ts';
import { NonceStore } from '../../src/signing/nonce-store.ts';
import type { Database } from '../../src/storage/database.ts';
import { CLAIMS_KEPT_MS } from '../../src/storage/statement.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { ManualClock } from '../manual-clock.ts';
import { type Draft, SCHEMES, type Signer, draftChat, newNonce, present, sign } from './support.ts';
import { type TestHouse, openTestHouse } from './test-house.ts';

const RULES = { acceptsVersion1: true };
const HOUR_MS = 3_600_000;
/** A jump is believed once it has stayed so long. */
const BELIEVED_AFTER_MS = 60_000;

for (const kind of DATABASE_KINDS) {
  describe(`the time of signed requests, on ${kind.name}`, () => {
    let house: TestHouse | undefined;
    const signers: Signer[] = [];
    before(async () => {
      house = await openTestHouse(kind);
      for (const scheme of SCHEMES) signers.push(await house.createSigner(scheme));
    });
    after(() => house?.[Symbol.asyncDispose]());

    const openDoor = (clock: ConstructorParameters<typeof Door>[0]['clock']) => {
      assert.ok(house);
      return new Door({ ...house.core, clock });
    };
    /** What the door makes of it in the end. */
    const judge = async (door: Door, signer: Signer, fields: Partial<Draft>) => {
      const wire = sign(signer, draftChat('http://gw.example', fields));
      const visitor = await door.open(present(wire), RULES);
      if (visitor instanceof Denial) return visitor;
      const proved = await door.verify(visitor, wire.body);
      return proved instanceof Denial ? proved : ((await door.use(proved)) ?? 'accepted');
    };

    test('is accepted up to the last millisecond of its window, and not one later', async () => {
      for (const signer of signers) {
        const aheadS = signer.scheme === 'v1' ? 300 : 60;
        for (const [offMs, isIn] of [
          [300_000, true],
          [300_001, false],
          [-aheadS * 1_000, true],
          [-aheadS * 1_000 - 1, false],
        ] as const) {
          const clock = new ManualClock();
          const timestamp = String(clock.nowMs() / 1_000);
          clock.advance(offMs);
          const judged = await judge(openDoor(clock), signer, { timestamp });
          const name = `${signer.scheme}, ${offMs} ms`;
          if (isIn) assert.equal(judged, 'accepted', name);
          else {
            assert.ok(judged instanceof Denial, name);
            assert.equal(judged.detail.serverTimeS, Math.floor(clock.nowMs() / 1_000));
          }
        }
      }
    });

    test("is not known while the machine's clock has jumped: 503, and bearer keys pass", async () => {
      for (const jumpMs of [HOUR_MS, -HOUR_MS]) {
        const clock = new ManualClock();
        const steady = new SteadyClock(clock, () => undefined);
        const door = openDoor(steady);
        const nowS = () => String(Math.floor(clock.nowMs() / 1_000));
        const beforeS = nowS();
        for (const signer of signers)
          assert.equal(await judge(door, signer, { timestamp: nowS() }), 'accepted');

        clock.setTo(clock.nowMs() + jumpMs);
        for (const signer of signers) {
          for (const timestamp of [beforeS, nowS()]) {
            await assert.rejects(judge(door, signer, { timestamp }), (error) => {
              assert.ok(error instanceof Fault, String(error));
              assert.deepEqual([error.code, renderOpenAiError(error).status], ['unavailable', 503]);
              return true;
            });
          }
          const bearer = { ...present(sign(signer, draftChat('http://gw.example'))), signature: undefined };
          const visitor = await door.open({ ...bearer, secret: signer.apiKey }, RULES);
          assert.ok(!(visitor instanceof Denial) && visitor.principal.key.id === signer.id);
        }

        // The jump stays, and is believed: the new time counts, and the old is out of the window.
        clock.advance(BELIEVED_AFTER_MS);
        for (const signer of signers) {
          assert.equal(await judge(door, signer, { timestamp: nowS() }), 'accepted');
          assert.ok((await judge(door, signer, { timestamp: beforeS })) instanceof Denial);
        }
      }
    });

    test('is over when a signature by the standard says so itself', async () => {
      const clock = new ManualClock();
      const nowS = clock.nowMs() / 1_000;
      for (const signer of signers.filter(({ scheme }) => scheme.startsWith('rfc9421'))) {
        const fields = (expires: number) => ({
          timestamp: String(nowS - 20),
          parameters: { expires: String(expires) },
        });
        assert.equal(await judge(openDoor(clock), signer, fields(nowS + 10)), 'accepted');
        const judged = await judge(openDoor(clock), signer, fields(nowS - 10));
        assert.ok(judged instanceof Denial, `${signer.scheme}: accepted 10 s after it expired`);
      }
    });
  });

  describe(`a nonce that was used up, on ${kind.name}`, () => {
    const withStore = async (
      body: (of: { store: NonceStore; database: Database; clock: ManualClock }) => Promise<void>,
    ) => {
      const place = await kind.create();
      const clock = new ManualClock();
      const database = await place.open({ nowMs: () => clock.nowMs() });
      try {
        await body({ store: new NonceStore(database, clock), database, clock });
      } finally {
        await database.close();
        await place.remove();
      }
    };
    const countRows = async (database: Database) =>
      (await database.read((db) => db.selectFrom('claims').select('value'))).length;

    test('stays so for twelve minutes, whatever is pruned, and is forgotten then', async () => {
      await withStore(async ({ store, database, clock }) => {
        const [older, younger] = [newNonce(), newNonce()];
        const use = (value: string) => store.use(store.claim('key_1', [value]));
        assert.equal(await use(older), true);
        assert.equal(await use(older), false);
        await store.prune();
        clock.advance(CLAIMS_KEPT_MS);
        await store.prune();
        assert.equal(await use(older), false);
        assert.equal(await use(younger), true);
        assert.equal(await countRows(database), 2);
        clock.advance(1);
        await store.prune();
        assert.equal(await countRows(database), 1, 'the older one should be gone, the younger not');
        clock.advance(CLAIMS_KEPT_MS + 1);
        await store.prune();
        assert.equal(await countRows(database), 0);
      });
    });

    test('stays so through a restart', async () => {
      const place = await kind.create();
      const clock = new ManualClock();
      const nonce = newNonce();
      for (const isFirst of [true, false, false]) {
        const database = await place.open();
        const store = new NonceStore(database, clock);
        assert.equal(await store.use(store.claim('key_1', [nonce])), isFirst);
        await store.prune();
        await database.close();
      }
      await place.remove();
    });

    test("is another key's to use", async () => {
      await withStore(async ({ store }) => {
        const nonce = newNonce();
        assert.equal(await store.use(store.claim('key_1', [nonce])), true);
        assert.equal(await store.use(store.claim('key_2', [nonce])), true);
        assert.equal(await store.use(store.claim('key_1', [nonce])), false);
      });
    });

    test('of several values is refused when one of them was used, and then uses up none', async () => {
      await withStore(async ({ store, database }) => {
        const [first, second, third] = [newNonce(), newNonce(), newNonce()];
        assert.equal(await store.use(store.claim('key_1', [first, second])), true);
        assert.equal(await store.use(store.claim('key_1', [third, second])), false);
        assert.equal(await store.use(store.claim('key_1', [first, third])), false);
        assert.equal(await countRows(database), 2);
        assert.equal(await store.use(store.claim('key_1', [third])), true);
      });
    });

    test("stays so when the machine's clock jumps an hour ahead and comes back", async () => {
      const place = await kind.create();
      let nowMs = Date.UTC(2026, 10, 23, 12);
      // The store's clock is steady, and does not follow the jump; what the database is given is the machine's.
      const steady = new ManualClock(nowMs);
      const database = await place.open({ nowMs: () => nowMs });
      try {
        const store = new NonceStore(database, steady);
        const nonce = newNonce();
        assert.equal(await store.use(store.claim('key_1', [nonce])), true);
        nowMs += HOUR_MS;
        // Bearer calls go on, and commit.
        assert.equal(await store.use(store.claim('key_2', [newNonce()])), true);
        nowMs -= HOUR_MS;
        assert.equal(await store.use(store.claim('key_1', [nonce])), false, 'it was accepted a second time');
      } finally {
        await database.close();
        await place.remove();
      }
    });
  });
}
