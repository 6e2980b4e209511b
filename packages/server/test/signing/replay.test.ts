import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DATABASE_KINDS } from '../databases.ts';
import { type KeyfoldProcess, createKeyfoldProcess } from '../keyfold-process.ts';
import { LostConnectionError, type RawAnswer, pump } from './pump.ts';
import {
  SCHEMES,
  type Signer,
  adminOf,
  assertInvalidSignature,
  createSigner,
  draftChat,
  query,
  sign,
  sumRefusals,
  toBytes,
} from './support.ts';
import { effort } from '../../../../test/effort.ts';

const NONCES = effort(250, 1_000);
const COPIES = 50;
const DEPTH = 8;
const TIMEOUT_MS = 240_000;
/** Of the load that is killed. */
const KILLED = { nonces: 600, copies: 6, answersBefore: 500 };

for (const kind of DATABASE_KINDS) {
  describe(`signed requests that are recorded and sent again, on ${kind.name}`, () => {
    test(
      `${NONCES} of them, ${COPIES} copies each at once: exactly ${NONCES} are accepted, and none again after SIGKILL`,
      { timeout: TIMEOUT_MS },
      async (context) => {
        await using keyfold = await createKeyfoldProcess(kind);
        await keyfold.start();
        const requests = await signMany(keyfold, NONCES);
        const accepted = requests.map(() => 0);
        const startMs = Date.now();
        await Promise.all(Array.from({ length: COPIES }, () => sendAll(keyfold.url, requests, accepted)));
        const tookMs = Date.now() - startMs;
        assert.deepEqual([...new Set(accepted)], [1]);

        await keyfold.signal('SIGKILL');
        await keyfold.start();
        await sendAll(keyfold.url, requests, accepted);
        assert.equal(sum(accepted), NONCES);
        assert.equal(await keyfold.signal('SIGTERM'), 0);
        assert.equal((await query(keyfold, 'select id from calls')).length, NONCES);
        assert.deepEqual(await query(keyfold, 'select id from reservations'), []);
        const reasons = await sumRefusals(keyfold);
        for (const line of reasons.keys()) assert.match(line, /^invalid_signature, replayed, key_\w+$/);
        assert.ok(sum([...reasons.values()]) >= NONCES);
        context.diagnostic(
          `${NONCES * COPIES} requests in ${tookMs} ms, ${sum(accepted)} accepted, before and after`,
        );
      },
    );

    test(
      'while the process dies under them: whatever it had begun is not begun again, and the rest once',
      { timeout: TIMEOUT_MS },
      async (context) => {
        await using keyfold = await createKeyfoldProcess(kind);
        await keyfold.start();
        const requests = await signMany(keyfold, KILLED.nonces);
        const accepted = requests.map(() => 0);
        let answers = 0;
        const killed = Promise.withResolvers<void>();
        const onAnswer = () => {
          if (++answers === KILLED.answersBefore) void keyfold.signal('SIGKILL').then(() => killed.resolve());
        };
        const load = Array.from({ length: KILLED.copies }, () =>
          sendAll(keyfold.url, requests, accepted, onAnswer).catch((error: unknown) =>
            assert.ok(error instanceof LostConnectionError, String(error)),
          ),
        );
        await Promise.all([...load, killed.promise]);
        const before = sum(accepted);
        assert.ok(before > 0 && before < KILLED.nonces, `${before} were accepted before the kill`);

        await keyfold.start();
        await Promise.all([
          sendAll(keyfold.url, requests, accepted),
          sendAll(keyfold.url, requests, accepted),
        ]);
        assert.ok(
          accepted.every((count) => count <= 1),
          'one was accepted before and after',
        );
        assert.equal(await keyfold.signal('SIGTERM'), 0);
        // Also those whose first answer was lost with the process were begun, once.
        assert.equal((await query(keyfold, 'select id from calls')).length, KILLED.nonces);
        context.diagnostic(`${before} accepted before the kill, ${sum(accepted) - before} after it`);
      },
    );
  });
}

/** By each scheme in turn. */
async function signMany(keyfold: KeyfoldProcess, count: number): Promise<Buffer[]> {
  const admin = { keyfold: adminOf(keyfold) };
  const signers = await Promise.all(SCHEMES.map((scheme) => createSigner(admin, scheme)));
  return Array.from({ length: count }, (_, index) =>
    toBytes(sign(signers[index % signers.length] as Signer, draftChat(keyfold.url, { host: 'gw.example' }))),
  );
}

/** Each once, over one connection. What is not accepted must be refused for its signature. */
function sendAll(
  url: string,
  requests: readonly Buffer[],
  accepted: number[],
  onAnswer: () => void = () => undefined,
): Promise<void> {
  const count = (answer: RawAnswer, place: number) => {
    if (answer.status === 200) accepted[place] = (accepted[place] as number) + 1;
    else assertInvalidSignature(answer);
    onAnswer();
  };
  return pump(url, requests, { depth: DEPTH, onAnswer: count });
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, count) => all + count, 0);
}
