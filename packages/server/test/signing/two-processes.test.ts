import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { systemClock } from '../../src/kernel/clock.ts';
import { describeError } from '../../src/kernel/fault.ts';
import { NonceStore } from '../../src/signing/nonce-store.ts';
import type { Database } from '../../src/storage/database.ts';
import { DATABASE_KINDS, type DatabaseKind } from '../databases.ts';
import { type KeyfoldProcess, createKeyfoldProcess } from '../keyfold-process.ts';
import { type RawAnswer, pump } from './pump.ts';
import {
  SCHEMES,
  type Signer,
  adminOf,
  assertInvalidSignature,
  call,
  createRandom,
  createSigner,
  draftChat,
  newNonce,
  query,
  sign,
  toBytes,
} from './support.ts';

const [SQLITE, POSTGRES] = DATABASE_KINDS as [DatabaseKind, DatabaseKind];
const NONCES = 100;
const COPIES = 20;
const TIMEOUT_MS = 120_000;

/** `KEYFOLD_TEST_SEED` repeats a run. */
const seed = Number(process.env['KEYFOLD_TEST_SEED'] ?? randomInt(2 ** 31));

describe(`two processes on one PostgreSQL, seed ${seed}`, () => {
  for (const order of ['in one order', 'in any order'] as const) {
    test(
      `take ${NONCES} signed requests, ${COPIES} copies each over both at once and ${order}: ${NONCES} are accepted`,
      { timeout: TIMEOUT_MS },
      async (context) => {
        await using first = await createKeyfoldProcess(POSTGRES);
        await using second = await startBeside(first);
        const admin = { keyfold: adminOf(first) };
        const signers = await Promise.all(SCHEMES.map((scheme) => createSigner(admin, scheme)));
        const requests = Array.from({ length: NONCES }, (_, index) => {
          const draft = draftChat(first.url, { host: 'gw.example' });
          return toBytes(sign(signers[index % signers.length] as Signer, draft));
        });
        const random = createRandom(seed);
        const accepted = requests.map(() => 0);
        const others: string[] = [];
        const startMs = Date.now();
        await Promise.all(
          Array.from({ length: COPIES }, (_, copy) => {
            const places = [...requests.keys()];
            if (order === 'in any order') shuffle(places, random);
            const onAnswer = (answer: RawAnswer, index: number) => {
              const place = places[index] as number;
              if (answer.status === 200) accepted[place] = (accepted[place] as number) + 1;
              else if (answer.status === 401) assertInvalidSignature(answer);
              else others.push(`${answer.status} ${answer.text}`);
            };
            const { url } = copy % 2 === 0 ? first : second;
            return pump(
              url,
              places.map((place) => requests[place] as Buffer),
              { depth: 8, onAnswer },
            );
          }),
        );
        const tookMs = Date.now() - startMs;
        assert.deepEqual([...new Set(accepted)], [1]);
        assert.equal((await query(first, 'select id from claims')).length, NONCES + NONCES / SCHEMES.length);
        context.diagnostic(
          `${NONCES * COPIES} requests in ${tookMs} ms, ${others.length} neither 200 nor 401`,
        );
        // A wait that ends in a refusal to serve accepts nothing.
        for (const other of others) assert.match(other, /^503 /);
      },
    );
  }

  test('claim the same values in opposite orders: each is claimed once, and neither waits for the other in a circle', async () => {
    const place = await POSTGRES.create();
    const [first, second] = await Promise.all([place.open(), place.open()]);
    const values = Array.from({ length: 10 }, () => newNonce());
    const claim = (database: Database, value: string) => {
      const store = new NonceStore(database, systemClock);
      return store.use(store.claim('key_1', [value])).then(
        (isFirst) => (isFirst ? 'claimed' : 'refused'),
        (error: unknown) => describeError(error),
      );
    };
    // The first of each goes alone; what comes while that is committed shares the next commit.
    const outcomes = await Promise.all([
      ...['first of one', ...values].map((value) => claim(first, value)),
      ...['first of two', ...values.toReversed()].map((value) => claim(second, value)),
    ]);
    await Promise.all([first.close(), second.close()]);
    await place.remove();
    const counts = Object.entries(Object.groupBy(outcomes, (outcome) => outcome));
    assert.deepEqual(
      counts.map(([outcome, all]) => [outcome, all?.length]),
      [
        ['claimed', values.length + 2],
        ['refused', values.length],
      ],
    );
  });

  for (const scheme of SCHEMES.filter((each) => each !== 'rfc9421 ed25519')) {
    test(`refuse a signing secret by ${scheme} that the other has ended, from the next call on`, async () => {
      await using first = await createKeyfoldProcess(POSTGRES);
      await using second = await startBeside(first);
      const old = await createSigner({ keyfold: adminOf(first) }, scheme);
      // The second process knows the key by now.
      assert.equal((await call(second.url, old)).status, 200);
      const path = `/v1/keys/${old.id}/signing-secret/rotate`;
      const rotated = await adminOf(first).request('POST', path, { grace_seconds: 0 });
      assert.equal(rotated.status, 200, rotated.text);
      assertInvalidSignature(await call(second.url, old));
      const fresh = { ...old, secret: String(rotated.body['signing_secret']) };
      for (const { url } of [first, second]) assert.equal((await call(url, fresh)).status, 200);
    });
  }
});

/** Another process on the same database, with the same root key. */
async function startBeside(first: KeyfoldProcess): Promise<KeyfoldProcess> {
  await first.start();
  const second = await createKeyfoldProcess(SQLITE);
  await second.start({
    KEYFOLD_DATABASE_URL: String(first.databaseUrl),
    KEYFOLD_ROOT_KEY_FILE: join(first.dataDir, 'root.key'),
  });
  return second;
}

function shuffle(places: number[], random: () => number): void {
  for (let place = places.length - 1; place > 0; place--) {
    const other = Math.floor(random() * (place + 1));
    [places[place], places[other]] = [places[other] as number, places[place] as number];
  }
}
