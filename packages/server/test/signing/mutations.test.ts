import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { describe, test } from 'node:test';
import { DATABASE_KINDS } from '../databases.ts';
import { createKeyfoldProcess } from '../keyfold-process.ts';
import { MUTATIONS, type PickBelow } from './mutations.ts';
import { type RawAnswer, pump } from './pump.ts';
import {
  CHAT,
  type Draft,
  SCHEMES,
  type Scheme,
  type Signer,
  type Wire,
  adminOf,
  chatText,
  claimsOf,
  createRandom,
  createSigner,
  draftChat,
  draftGet,
  query,
  send,
  sign,
  sumRefusals,
  toBytes,
} from './support.ts';
import { effort } from '../../../../test/effort.ts';

const REQUESTS = { sqlite: effort(20_000, 100_000), postgres: effort(5_000, 10_000) } as const;
const CONNECTIONS = 25;
const TIMEOUT_MS = 240_000;

/** `KEYFOLD_TEST_SEED` repeats a run. */
const seed = Number(process.env['KEYFOLD_TEST_SEED'] ?? randomInt(2 ** 31));

interface Pair {
  /** Chats. */
  readonly signers: readonly [Signer, Signer];
  /** Manages keys; version 1 cannot. */
  readonly admins: readonly [Signer, Signer] | undefined;
}

interface Mutated {
  readonly name: string;
  readonly wire: Wire;
}

for (const kind of DATABASE_KINDS) {
  const requests = REQUESTS[kind.name];
  describe(`${requests} signed requests with one component changed, on ${kind.name}, seed ${seed}`, () => {
    test(
      'are refused, every one; as they were signed, each is served',
      { timeout: TIMEOUT_MS },
      async (context) => {
        await using keyfold = await createKeyfoldProcess(kind);
        await keyfold.start();
        const pairs = await createPairs({ keyfold: adminOf(keyfold) });
        const { url } = keyfold;

        const sent = new Map<string, number>();
        const accepted: string[] = [];
        const startMs = Date.now();
        const work = async (connection: number) => {
          const pick = createPick(seed + connection);
          const mutated: Mutated[] = [];
          const source = function* () {
            for (let turn = 0; turn < requests / CONNECTIONS; turn++) {
              const next = mutate(url, pairs, pick);
              mutated.push(next);
              sent.set(next.name, (sent.get(next.name) ?? 0) + 1);
              yield toBytes(next.wire);
            }
          };
          const onAnswer = (answer: RawAnswer) => {
            const { name, wire } = mutated.shift() as Mutated;
            if (answer.status !== 401)
              accepted.push(`${name}: ${answer.status} ${answer.text} to ${show(wire)}`);
          };
          await pump(url, source(), { onAnswer });
        };
        await Promise.all(Array.from({ length: CONNECTIONS }, (_, connection) => work(connection)));
        const tookMs = Date.now() - startMs;
        assert.deepEqual(accepted.slice(0, 5), []);
        const kinds = SCHEMES.flatMap((scheme) => MUTATIONS[scheme].map(([name]) => `${scheme} ${name}`));
        assert.deepEqual([...sent.keys()].sort(), kinds.sort(), 'something was never changed');

        let served = 0;
        let used = 0;
        for (const scheme of SCHEMES) {
          for (const [signer, draft] of draftsOf(url, pairs[scheme], createPick(seed))) {
            const answer = await send(url, sign(signer, draft));
            assert.equal(answer.status, draft.path.startsWith('/v1/models/') ? 404 : 200, answer.text);
            served++;
            used += claimsOf(scheme);
          }
        }
        assert.equal(await keyfold.signal('SIGTERM'), 0);
        const refused = [...(await sumRefusals(keyfold)).values()].reduce((sum, count) => sum + count, 0);
        assert.equal(refused, requests);
        assert.equal((await query(keyfold, 'select value from claims')).length, used);
        const fewest = Math.min(...sent.values());
        context.diagnostic(
          `seed ${seed}: ${requests} in ${tookMs} ms, ${kinds.length} kinds, each at least ${fewest} times; ${served} unchanged served`,
        );
      },
    );
  });
}

async function createPairs(admin: Parameters<typeof createSigner>[0]): Promise<Record<Scheme, Pair>> {
  const pairs = await Promise.all(
    SCHEMES.map(async (scheme): Promise<[Scheme, Pair]> => {
      const create = (rules: object = {}) => createSigner(admin, scheme, rules);
      const managing = { kind: 'admin', permissions: ['*'] };
      return [
        scheme,
        {
          signers: [await create(), await create()],
          admins: scheme === 'v1' ? undefined : [await create(managing), await create(managing)],
        },
      ];
    }),
  );
  return Object.fromEntries(pairs) as Record<Scheme, Pair>;
}

/** Each connection has its own, so that what it sends does not depend on the others. */
function createPick(seed: number): PickBelow {
  const random = createRandom(seed);
  return (max) => Math.floor(random() * max);
}

/** One of each kind of request, and who sends it. */
function draftsOf(url: string, { signers, admins }: Pair, pick: PickBelow): [Signer, Draft][] {
  const [signer] = signers;
  const query = ['', 'a=1', 'a=1&b=%2F+2'][pick(3)] as string;
  const idempotencyKey = pick(2) === 0 ? undefined : `idem-${pick(1_000)}`;
  const body = chatText({ n: 1 + pick(3), messages: [{ role: 'user', content: `Hello ${pick(1_000)}` }] });
  const drafts: [Signer, Draft][] = [
    [signer, draftChat(url, { path: CHAT, query, idempotencyKey, body })],
    [signer, draftGet(url, '/v1/keys/validate', { idempotencyKey })],
  ];
  if (admins === undefined) return drafts;
  const [admin, otherAdmin] = admins;
  return [
    ...drafts,
    [signer, draftGet(url, '/v1/models/A-model', { idempotencyKey })],
    [admin, draftGet(url, `/v1/keys/${otherAdmin.id}`)],
  ];
}

function mutate(url: string, pairs: Readonly<Record<Scheme, Pair>>, pick: PickBelow): Mutated {
  const scheme = SCHEMES[pick(SCHEMES.length)] as Scheme;
  const pair = pairs[scheme];
  const mutations = MUTATIONS[scheme];
  const [name, change] = mutations[pick(mutations.length)] as (typeof mutations)[number];
  for (;;) {
    const drafts = draftsOf(url, pair, pick);
    const [signer, draft] = drafts[pick(drafts.length)] as [Signer, Draft];
    const other = signer === pair.signers[0] ? pair.signers[1] : (pair.admins?.[1] as Signer);
    const wire = sign(signer, draft);
    const changed = change({ signer, draft, wire, other, pick });
    if (changed === undefined) continue;
    assert.ok(!toBytes(changed).equals(toBytes(wire)), `${scheme} ${name} changed nothing of ${show(wire)}`);
    return { name: `${scheme} ${name}`, wire: changed };
  }
}

function show(wire: Wire): string {
  return JSON.stringify(toBytes(wire).toString('latin1'));
}
