/** A smaller version of `measure.ts` that every run of the suites can afford. Speed is taken from the fastest of some answers. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { nanos } from '@keyfold/protocol';
import { sql } from 'kysely';
import { AuditLog } from '../../src/audit/audit-log.ts';
import { pruneOldCalls } from '../../src/jobs/prune-calls.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { createNewId } from '../../src/kernel/new-id.ts';
import { SystemRandom } from '../../src/kernel/random.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { Database } from '../../src/storage/database.ts';
import { settled } from '../call-house.ts';
import { DATABASE_KINDS } from '../databases.ts';
import { type FilledKeyfold, START_MS, fillKeyfold } from './filled-keyfold.ts';
import { USAGE_QUESTIONS, answer, pageQuestions } from './questions.ts';

const CALLS = { sqlite: 50_000, postgres: 20_000 };
/** PostgreSQL has 28 bytes of its own in every row, and so few calls share hardly a row of sums. See decision 0017. */
const BYTES_MAX = { sqlite: 800, postgres: 1_300 };
const USAGE_MS_MAX = 200;
const PAGE_MS_MAX = 20;
const TIMES = 5;

const OLD_CALLS = 100_001;
const DAY_MS = 86_400_000;
/** What a disk that others use adds now and then. */
const SLACK_MS = 15;

for (const kind of DATABASE_KINDS) {
  describe(`many calls on ${kind.name}`, () => {
    let keyfold: FilledKeyfold;
    before(async () => {
      keyfold = await fillKeyfold(kind, CALLS[kind.name]);
    });
    after(async () => {
      await keyfold[Symbol.asyncDispose]();
    });

    test('a settled call takes no more room than it may, its audit records and all sums included', (context) => {
      const bytes = [...keyfold.bytes.values()].reduce((sum, each) => sum + each, 0) / keyfold.calls;
      context.diagnostic(`${bytes.toFixed(1)} bytes a call`);
      assert.ok(bytes <= BYTES_MAX[kind.name], `${bytes} bytes`);
    });

    test('a month by key and day, and every page of calls there and back, is answered in time', async () => {
      for (const question of USAGE_QUESTIONS) {
        const { fastestMs } = await answer(keyfold, question, TIMES);
        assert.ok(fastestMs < USAGE_MS_MAX, `${question.name} took ${fastestMs} ms`);
      }
      for (const question of await pageQuestions(keyfold)) {
        const { fastestMs } = await answer(keyfold, question, TIMES);
        assert.ok(fastestMs < PAGE_MS_MAX, `${question.name} took ${fastestMs} ms`);
      }
    });

    test('calls go through as fast as ever while a hundred thousand old ones are removed', async (context) => {
      await keyfold.stop();
      await using open = await openAgain(keyfold);
      const { database } = open;
      await insertOld(database);
      const reserve = createReserve(database, keyfold);
      const before = await measure(reserve, untilEnough(300));
      let isDone = false;
      const pruning = pruneOldCalls(
        { database, clock: systemClock },
        { keptDays: keptDays(), isStopping: () => false, pause: () => afterMs(3) },
      ).finally(() => void (isDone = true));
      const during = await measure(reserve, () => isDone);
      await pruning;
      context.diagnostic(`median ${before.medianMs} ms before and ${during.medianMs} ms meanwhile`);
      context.diagnostic(`of ten ${before.slowMs} ms before and ${during.slowMs} ms meanwhile`);
      const [left] = await database.read((db) =>
        db
          .selectFrom('calls')
          .select((eb) => eb.fn.countAll<bigint>().as('n'))
          .where('reserved_at', '<', BigInt(START_MS)),
      );
      assert.equal(left?.n, 0n);
      assert.ok(during.count > 100, `${during.count} calls`);
      assert.ok(during.medianMs < 2 * before.medianMs + 5, `a median of ${during.medianMs} ms`);
      assert.ok(during.slowMs < 2 * before.slowMs + SLACK_MS, `one in ten takes ${during.slowMs} ms`);
    });
  });
}

async function openAgain({ open }: FilledKeyfold) {
  const database = await open(() => systemClock.nowMs());
  return { database, [Symbol.asyncDispose]: () => database.close() };
}

/** Everything that is older than the calls of the fill. */
function keptDays(): number {
  return (systemClock.nowMs() - START_MS) / DAY_MS;
}

/** A year before the others, of the same sources, written past the ledger: as many through it would take a minute. */
async function insertOld(database: Database): Promise<void> {
  const [source] = await database.read((db) =>
    db.selectFrom('call_sources').select(({ fn }) => fn.max('no').as('last')),
  );
  const last = sql.lit(Number(source?.last));
  const fromMs = sql.lit(START_MS - 365 * DAY_MS);
  const columns = sql`(id, request_id, source, key_version, attempt, streamed, resolution, provenance, status, held_nanos,
    cost_nanos, reserved_at, duration_ms, input_tokens, output_tokens)`;
  const insert =
    database.dialect === 'sqlite'
      ? sql`with recursive t(n) as (select 1 union all select n + 1 from t where n < ${sql.lit(OLD_CALLS)})
          insert into calls ${columns} select unhex(printf('%012x', ${fromMs} + n * 10) || hex(randomblob(10))), randomblob(16),
          1 + n % ${last}, 1, 1, 0, 0, 0, 200, 5, 5, ${fromMs} + n * 10, 9, 1, 1 from t`
      : sql`insert into calls ${columns} select cast(lpad(to_hex(${fromMs} + n * 10), 12, '0')
          || substr(md5(random()::text), 1, 20) as uuid), gen_random_uuid(),
          1 + n % ${last}, 1, 1, 0, 0, 0, 200, 5, 5, ${fromMs} + n * 10, 9, 1, 1 from generate_series(1, ${sql.lit(OLD_CALLS)}) as t(n)`;
  const step = database.step((db) => ({ compile: () => insert.compile(db) }));
  await database.commit({ steps: [step] });
}

function createReserve(database: Database, { filled }: FilledKeyfold): () => Promise<void> {
  const clock = systemClock;
  const newId = createNewId(clock, new SystemRandom());
  const ledger = new Ledger({ database, audit: new AuditLog(database, clock), clock, newId });
  const call = {
    organizationId: filled.organizationId,
    projectId: filled.projectIds[0] ?? assert.fail(),
    keyId: filled.keyIds[0] ?? assert.fail(),
    keyVersion: 1,
    endpoint: 'chat.completions',
    provider: 'openai',
    model: 'gpt-4.1',
    credentialId: undefined,
    streamed: false,
    attempt: 1,
    route: undefined,
  };
  return async () => {
    const requestId = newId('request');
    const amount = nanos(100n);
    const request = {
      budgets: [],
      credit: undefined,
      amount,
      estimate: amount,
      claims: [],
      organizationRevision: filled.revision,
    };
    const answer = await ledger.reserve({ call: { ...call, requestId }, ...request });
    assert.ok(typeof answer === 'object' && 'holds' in answer, 'the call is reserved');
    // Nobody waits for a settlement; the next reservation takes it along.
    void ledger.resolve(answer, settled()).catch(assert.fail);
  };
}

/** What half of the calls and nine of ten wait for their reservation, one call at a time. */
async function measure(reserve: () => Promise<void>, isOver: () => boolean) {
  const took: number[] = [];
  while (!isOver()) {
    const startMs = performance.now();
    await reserve();
    took.push(performance.now() - startMs);
    await afterMs(1);
  }
  took.sort((a, b) => a - b);
  const at = (share: number) => took[Math.floor(took.length * share)] ?? Infinity;
  return { count: took.length, medianMs: at(0.5), slowMs: at(0.9) };
}

function untilEnough(times: number): () => boolean {
  let done = 0;
  return () => done++ === times;
}

function afterMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
