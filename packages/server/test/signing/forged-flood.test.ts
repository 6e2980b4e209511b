import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { describe, test } from 'node:test';
import { Denial } from '../../src/kernel/denial.ts';
import type { Database } from '../../src/storage/database.ts';
import { DATABASE_KINDS, type DatabaseKind } from '../databases.ts';
import { createKeyfoldProcess } from '../keyfold-process.ts';
import { type RawAnswer, pump } from './pump.ts';
import {
  SCHEMES,
  type Header,
  type Signer,
  type Wire,
  adminOf,
  assertInvalidSignature,
  call,
  createSigner,
  draftChat,
  present,
  query,
  send,
  sign,
  sumRefusals,
  toBytes,
} from './support.ts';
import { openTestHouse } from './test-house.ts';
import { effort } from '../../../../test/effort.ts';

const [SQLITE] = DATABASE_KINDS as [DatabaseKind];
const FORGED_AT_DOOR = effort(200_000, 1_000_000);
const FORGED_OVER_SOCKETS = 20_000;
const CONNECTIONS = 32;
const AT_ONCE = 500;
const RULES = { acceptsVersion1: true };
const TIMEOUT_MS = 240_000;
/** By how long they take to refuse. */
const SHARES = { v1: 9, v2: 9, 'rfc9421 hmac': 1, 'rfc9421 ed25519': 1 };
/** Of ten forgeries one names a key that there is not. */
const UNKNOWN_EVERY = 10;

describe('a flood of forged nonces', () => {
  test(
    `at the door, ${FORGED_AT_DOOR} of them with wrong signatures: none is accepted, no nonce is stored, a line each is logged for the kinds`,
    { timeout: TIMEOUT_MS },
    async (context) => {
      await using house = await openTestHouse(SQLITE);
      const { core } = house;
      const signers = await Promise.all(SCHEMES.map((scheme) => house.createSigner(scheme)));
      const forgers = signers.flatMap((signer) =>
        Array.from({ length: SHARES[signer.scheme] }, () => forgerOf(signer)),
      );
      const recordsBefore = await countRecords(core.database);
      const startMs = Date.now();
      let refused = 0;
      const attempt = async (turn: number) => {
        const wire = (forgers[turn % forgers.length] as Forger)(turn);
        const visitor = await core.door.open(present(wire), RULES);
        const denial = visitor instanceof Denial ? visitor : await core.door.verify(visitor, wire.body);
        assert.ok(denial instanceof Denial && denial.code === 'invalid_signature');
        core.refusals.count(denial, { address: '203.0.113.1' });
        refused++;
      };
      for (let turn = 0; turn < FORGED_AT_DOOR; turn += AT_ONCE) {
        await Promise.all(Array.from({ length: AT_ONCE }, (_, index) => attempt(turn + index)));
      }
      const tookMs = Date.now() - startMs;
      assert.equal(refused, FORGED_AT_DOOR);
      await core.refusals.flush();
      await core.uses.flush();
      assert.deepEqual(await core.database.read((db) => db.selectFrom('claims').selectAll()), []);
      assert.deepEqual(await core.database.read((db) => db.selectFrom('version_uses').selectAll()), []);
      // One sum for each key, and one for all that named none.
      assert.equal((await countRecords(core.database)) - recordsBefore, signers.length + 1);
      context.diagnostic(`${FORGED_AT_DOOR} in ${tookMs} ms`);
    },
  );

  for (const kind of DATABASE_KINDS) {
    test(
      `over sockets, ${FORGED_OVER_SOCKETS} of them, on ${kind.name}: no nonce, no use of the key and no call is stored, and the log has sums`,
      { timeout: TIMEOUT_MS },
      async (context) => {
        await using keyfold = await createKeyfoldProcess(kind);
        await keyfold.start();
        const admin = { keyfold: adminOf(keyfold) };
        const signers = await Promise.all(SCHEMES.map((scheme) => createSigner(admin, scheme)));
        const forgers = signers.map((signer) => forgerOf(signer));
        let turn = 0;
        let refused = 0;
        const source = function* () {
          while (turn < FORGED_OVER_SOCKETS) {
            const forger = forgers[turn % forgers.length] as Forger;
            yield toBytes(forger(Math.floor(turn++ / forgers.length)));
          }
        };
        const onAnswer = (answer: RawAnswer) => {
          assertInvalidSignature(answer);
          refused++;
        };
        const startMs = Date.now();
        await Promise.all(
          Array.from({ length: CONNECTIONS }, () => pump(keyfold.url, source(), { onAnswer })),
        );
        const tookMs = Date.now() - startMs;
        assert.equal(refused, FORGED_OVER_SOCKETS);
        assert.equal(await keyfold.signal('SIGTERM'), 0);

        assert.deepEqual(await query(keyfold, 'select * from claims'), []);
        assert.deepEqual(await query(keyfold, 'select * from calls'), []);
        const ids = signers.map(({ id }) => `'${id}'`).join(', ');
        const uses = `select u.* from version_uses u where u.version_id in
          (select id from key_versions where key_id in (${ids}) union select id from signing_secrets)`;
        assert.deepEqual(await query(keyfold, uses), []);
        const sums = await sumRefusals(keyfold);
        assert.equal(sums.size, signers.length + 1, JSON.stringify([...sums]));
        assert.equal(
          [...sums.values()].reduce((all, count) => all + count, 0),
          FORGED_OVER_SOCKETS,
        );
        const records = await query(keyfold, 'select record from audit_records');
        const refusals = records.filter(({ record }) => String(record).includes('unauthenticated.refused'));
        // They are summed up every ten seconds.
        assert.ok(refusals.length <= sums.size * (2 + tookMs / 10_000), `${refusals.length} records`);
        context.diagnostic(`${FORGED_OVER_SOCKETS} in ${tookMs} ms, ${refusals.length} audit records`);

        // The set-up works: signed well, the same is served.
        await keyfold.start();
        for (const signer of signers) {
          const { status, text } = await call(keyfold.url, signer);
          assert.equal(status, 200, text);
        }
      },
    );
  }

  test('takes no nonce from the client that it belongs to', async () => {
    await using keyfold = await createKeyfoldProcess(SQLITE);
    await keyfold.start();
    for (const scheme of SCHEMES) {
      const signer = await createSigner({ keyfold: adminOf(keyfold) }, scheme);
      const wire = sign(signer, draftChat(keyfold.url));
      const forged = breakSignature(wire);
      for (let turn = 0; turn < 20; turn++) assertInvalidSignature(await send(keyfold.url, forged));
      assert.equal((await send(keyfold.url, wire)).status, 200);
    }
  });
});

/** One forgery more of a key, or now and then of none, with a nonce of its own. */
type Forger = (turn: number) => Wire;

/** From one request that was signed well: signing each anew would take longer than refusing it. */
function forgerOf(signer: Signer): Forger {
  const draft = draftChat('http://gw.example');
  const wire = sign(signer, draft);
  return (turn) => {
    const nonce = drawBytes(16).toString('base64url');
    const isUnknown = signer.scheme === 'v2' && turn % UNKNOWN_EVERY === 0;
    const headers = wire.headers.map(([name, value]): Header => {
      if (name === 'X-Key-Id' && isUnknown) return [name, `key_${drawBytes(13).toString('hex')}`];
      if (name === 'X-Nonce') return [name, nonce];
      return name === 'Signature-Input' ? [name, value.replace(draft.nonce, nonce)] : [name, value];
    });
    return breakSignature({ ...wire, headers });
  };
}

/** As long as the right one, and at random. */
function breakSignature(wire: Wire): Wire {
  const headers = wire.headers.map(([name, value]): Header => {
    if (name === 'X-Signature') return [name, drawBytes(32).toString('hex')];
    if (name !== 'Signature') return [name, value];
    const bytes = value.length > 80 ? 64 : 32;
    return [name, `keyfold=:${drawBytes(bytes).toString('base64')}:`];
  });
  return { ...wire, headers };
}

const pool = Buffer.alloc(65_536);
let drawn = pool.length;

/** Random bytes; asking the system for each few takes longer than refusing them. */
function drawBytes(count: number): Buffer {
  if (drawn + count > pool.length) {
    randomFillSync(pool);
    drawn = 0;
  }
  drawn += count;
  return pool.subarray(drawn - count, drawn);
}

async function countRecords(database: Database): Promise<number> {
  const rows = await database.read((db) => db.selectFrom('audit_records').select('sequence'));
  return rows.length;
}
