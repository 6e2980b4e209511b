import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import pg from 'pg';
import { RESOLUTIONS } from '../../src/ledger/call-row.ts';
import { EMPTY_CHAIN, headText, nextHead } from '../../src/storage/audit-chain.ts';
import { rowsOf } from '../control/support.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { sendJson } from '../keyfold.ts';
import { type KeyfoldProcess, createKeyfoldProcess } from '../keyfold-process.ts';
import { type MockProvider, startMockProvider } from '../mock-provider.ts';
import { type IssuedKey, addModel, chatBody, issueKey, until } from './support.ts';

const KILLS = { sqlite: 50, postgres: 12 } as const;
const TIMEOUT_MS = 240_000;
/** A call holds 100 output tokens at 1,000 dollars a million, and uses 60 of them. */
const PRICED = { name: 'crash-model', input: '0', output: '1000' };
const OUTPUT_TOKENS_MAX = 100;
const USED = { input: 10, output: 60 };
const NANOS_PER_OUTPUT_TOKEN = 1_000_000n;
const WORKERS = 12;
/** Calls of a burst whose provider never ends its answer: they are always under way when the process dies. */
const STALLED = 3;
const RESOLVED_WITHIN_MS = 5_000;

/** `KEYFOLD_TEST_SEED` repeats a run. */
const seed = Number(process.env['KEYFOLD_TEST_SEED'] ?? randomInt(2 ** 31));

for (const kind of DATABASE_KINDS) {
  const kills = KILLS[kind.name];
  describe(`a process that is killed ${kills} times under load, on ${kind.name}, seed ${seed}`, () => {
    test(
      'never knows of less spend than the provider bills, and resolves every reservation within 5 s of its start',
      { timeout: TIMEOUT_MS },
      async (context) => {
        await using provider = await startMockProvider();
        await using keyfold = await createKeyfoldProcess(kind);
        provider.behave({ kind: 'ok', tokens: USED });
        await keyfold.start();
        const admin = { provider, keyfold: clientOf(keyfold) };
        await addModel(admin, PRICED);
        const key = await issueKey(admin, { budgets: { total_usd: '1000000' } });
        const random = createRandom(seed);

        const totals = { answered: 0, expired: 0, slowestMs: 0 };
        for (let kill = 0; kill < kills; kill++) {
          provider.script(...Array.from({ length: STALLED }, () => ({ kind: 'stalled-stream' }) as const));
          const load = startLoad(keyfold.url, key);
          await afterMs(20 + random() * 250);
          await keyfold.signal('SIGKILL');
          totals.answered += await load;
          // What was scripted and not reached must not linger into the next burst.
          provider.unscript();
          // Now and then the process dies again while it starts or recovers.
          if (random() < 0.2) {
            keyfold.spawn();
            await afterMs(200 + random() * 500);
            await keyfold.signal('SIGKILL');
          }
          const startMs = Date.now();
          await keyfold.start();
          const books = await until(async () => {
            const seen = await readBooks(keyfold, key);
            return seen.held === 0n ? seen : undefined;
          });
          const tookMs = Date.now() - startMs;
          totals.slowestMs = Math.max(totals.slowestMs, tookMs);
          totals.expired = books.expired;
          assertCovers(books, { provider, answered: totals.answered, kill });
          assert.ok(tookMs <= RESOLVED_WITHIN_MS, `kill ${kill}: resolved only after ${tookMs} ms`);
          assert.equal(await countReservations(keyfold), 0, `kill ${kill}: reservations are left`);
        }
        context.diagnostic(
          `${kills} kills, ${totals.answered} calls answered, ${provider.calls.length} reached the provider, ` +
            `${totals.expired} expired, slowest start with recovery ${totals.slowestMs} ms`,
        );
        assert.ok(totals.expired > kills, 'the load was too light to leave calls under way');
        assert.equal(await keyfold.signal('SIGTERM'), 0);
        await assertChainsHold(keyfold);
      },
    );
  });
}

interface Books {
  readonly posted: bigint;
  readonly held: bigint;
  /** Sum of the calls' costs. */
  readonly cost: bigint;
  readonly calls: number;
  readonly expired: number;
}

function assertCovers(
  books: Books,
  of: { readonly provider: MockProvider; readonly answered: number; readonly kill: number },
): void {
  const { provider, answered, kill } = of;
  const billed = BigInt(provider.bill.output) * NANOS_PER_OUTPUT_TOKEN;
  assert.ok(
    books.posted + books.held >= billed,
    `kill ${kill}: ${books.posted} is below the bill of ${billed}`,
  );
  // Also what the provider has seen and not finished counts for at least as much as a finished call.
  const reached = BigInt(provider.calls.length * USED.output) * NANOS_PER_OUTPUT_TOKEN;
  assert.ok(books.posted >= reached, `kill ${kill}: ${books.posted} is below ${reached} for what was sent`);
  assert.equal(books.cost, books.posted, `kill ${kill}: the calls' costs are not what the budget posted`);
  assert.ok(books.calls >= provider.calls.length && provider.calls.length >= answered);
}

/** Calls without pause until the process is gone. Resolves with how many were answered in full. */
async function startLoad(url: string, key: IssuedKey): Promise<number> {
  let answered = 0;
  const work = async (worker: number) => {
    for (let turn = worker; ; turn++) {
      const body = chatBody({ model: PRICED.name, max_tokens: OUTPUT_TOKENS_MAX, stream: turn % 3 === 0 });
      try {
        const response = await fetch(`${url}/v1/chat/completions`, {
          method: 'POST',
          headers: { authorization: `Bearer ${key.secret}`, 'content-type': 'application/json' },
          body: JSON.stringify(body),
        });
        await response.arrayBuffer();
        assert.equal(response.status, 200);
        answered++;
      } catch (error) {
        if (error instanceof assert.AssertionError) throw error;
        return;
      }
    }
  };
  await Promise.all(Array.from({ length: WORKERS + STALLED }, (_, worker) => work(worker)));
  return answered;
}

async function readBooks(keyfold: KeyfoldProcess, key: IssuedKey): Promise<Books> {
  const client = clientOf(keyfold);
  const [budget] = rowsOf(await client.request('GET', `/v1/budgets?scope=key&scope_id=${key.id}`));
  const [usage] = rowsOf(await client.request('GET', `/v1/usage?key_id=${key.id}&group_by=key`));
  assert.ok(budget);
  return {
    posted: toNanos(budget['posted_usd']),
    held: toNanos(budget['held_usd']),
    cost: toNanos(usage?.['cost_usd'] ?? '0'),
    calls: Number(usage?.['calls'] ?? 0),
    expired: Number(
      (
        await query(
          keyfold,
          `select count(*) as n from calls where resolution = ${RESOLUTIONS.indexOf('expiry')}`,
        )
      )[0]?.['n'],
    ),
  };
}

async function countReservations(keyfold: KeyfoldProcess): Promise<number> {
  const [row] = await query(keyfold, 'select count(*) as n from reservations');
  return Number(row?.['n']);
}

/** Every node's records follow one another without a gap, and each head is the hash of all before it. */
async function assertChainsHold(keyfold: KeyfoldProcess): Promise<void> {
  const rows = await query(keyfold, 'select * from audit_records order by node, sequence');
  let [node, state] = [0, EMPTY_CHAIN];
  for (const row of rows) {
    if (Number(row['node']) !== node) [node, state] = [Number(row['node']), EMPTY_CHAIN];
    const record = String(row['record']);
    state = { sequence: state.sequence + 1, head: nextHead(state.head, record) };
    assert.equal(Number(row['sequence']), state.sequence);
    assert.equal(headText(row['head'] as Uint8Array), state.head, `head of ${state.sequence}`);
  }
  assert.ok(rows.length > 0);
}

async function query(keyfold: KeyfoldProcess, sql: string): Promise<Record<string, unknown>[]> {
  if (keyfold.databaseUrl === undefined) {
    const db = new DatabaseSync(join(keyfold.dataDir, 'data', 'keyfold.db'), { readOnly: true });
    const rows = db.prepare(sql).all();
    db.close();
    return rows;
  }
  const client = new pg.Client({ connectionString: keyfold.databaseUrl });
  await client.connect();
  const { rows } = await client.query<Record<string, unknown>>(sql);
  await client.end();
  return rows;
}

function clientOf(keyfold: KeyfoldProcess) {
  return {
    request: (method: string, path: string, body?: unknown) =>
      sendJson(`${keyfold.url}${path}`, { method, body, options: { key: keyfold.adminKey } }),
  };
}

function toNanos(usd: unknown): bigint {
  const [whole = '0', fraction = ''] = String(usd).split('.');
  return BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));
}

/** Mulberry32: small, and the same everywhere. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function afterMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
