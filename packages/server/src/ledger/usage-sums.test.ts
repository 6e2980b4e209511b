import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import {
  CREDENTIALS,
  type CallHouse,
  KEYS,
  ORGANIZATIONS,
  PROJECTS,
  openCallHouse,
  settled,
} from '../../test/call-house.ts';
import { assertSumsAreThoseOfTheCalls } from '../../test/check-sums.ts';
import { DATABASE_KINDS, type DatabasePlace } from '../../test/databases.ts';
import { Denial } from '../kernel/denial.ts';
import { SUM_COLUMNS } from '../storage/statement.ts';
import type { CallFilter, CallRow, UsageGroup, UsageSum } from './reports.ts';
import { TOKEN_CLASSES, mapTokens } from './token-classes.ts';

const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 2, 30);
/** Over the end of a month. */
const SPAN_MS = 72 * HOUR_MS;

const facts = fc.record({
  organizationId: fc.constantFrom(...ORGANIZATIONS),
  projectId: fc.constantFrom(...PROJECTS),
  keyId: fc.constantFrom(...KEYS),
  credentialId: fc.constantFrom(...CREDENTIALS),
  model: fc.constantFrom('gpt-4.1', 'gpt-4.1-mini'),
  attempt: fc.constantFrom(1, 1, 2),
});
const madeCall = fc.record({
  facts,
  at: fc.integer({ min: 0, max: SPAN_MS - 1 }),
  cost: fc.bigInt(0n, 10n ** 18n),
  tokens: fc.integer({ min: 0, max: 1_000_000 }),
  /** Once, twice at once, or never: what is resolved again is undone inside its commit. */
  times: fc.constantFrom(1, 1, 1, 2, 0),
});

for (const kind of DATABASE_KINDS) {
  describe(`sums of usage on ${kind.name}`, () => {
    let place: DatabasePlace;
    let house: CallHouse;

    before(async () => {
      place = await kind.create();
      house = await openCallHouse(place);
    });
    after(async () => {
      await house.database.close();
      await place.remove();
    });

    test('whatever calls end in whatever order, the sums are those of the rows, and every report is exact', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(madeCall, { maxLength: 40 }),
          fc.record({
            groups: fc.uniqueArray(fc.constantFrom<UsageGroup>(...GROUPS), { maxLength: 4 }),
            from: fc.option(fc.integer({ min: -HOUR_MS, max: SPAN_MS }), { nil: undefined }),
            length: fc.option(fc.integer({ min: 1, max: SPAN_MS }), { nil: undefined }),
            keyId: fc.option(fc.constantFrom(...KEYS), { nil: undefined }),
            credentialId: fc.option(fc.constantFrom('crd_00000001'), { nil: undefined }),
            wholeHours: fc.boolean(),
          }),
          async (calls, question) => {
            await makeCalls(house, calls);
            await assertSumsAreThoseOfTheCalls(house.database);
            await assertReportIsExact(house, question);
          },
        ),
        { seed: 20_261, numRuns: 40 },
      );
    });

    test('what a key has spent is that of its own calls in this day and in this month', async () => {
      const { clock, reserve, ledger, reports, newId } = house;
      const key = { id: newId('key'), organizationId: ORGANIZATIONS[0] ?? assert.fail() };
      const spend = async (atMs: number, cost: bigint, keyId = key.id) => {
        clock.setTo(atMs);
        const reservation = await reserve({ keyId, model: `model-${cost}` });
        await ledger.resolve(reservation, settled({ cost }));
      };
      await spend(Date.UTC(2029, 0, 31, 23, 59), 1n);
      await spend(Date.UTC(2029, 1, 1), 10n);
      await spend(Date.UTC(2029, 1, 27, 23), 100n);
      await spend(Date.UTC(2029, 1, 28, 1), 1_000n);
      await spend(Date.UTC(2029, 1, 28, 2), 10_000n);
      await spend(Date.UTC(2029, 1, 28, 2), 5n, newId('key'));
      assert.deepEqual(await reports.spentByKey(key), { today: 11_000n, thisMonth: 11_110n });
      clock.setTo(Date.UTC(2029, 2, 1));
      assert.deepEqual(await reports.spentByKey(key), { today: 0n, thisMonth: 0n });
    });

    test('a sum can be lowered below zero, and a unit that is refused or breaks adds nothing', async () => {
      const { database, reserve, ledger, clock } = house;
      clock.setTo(Date.UTC(2030, 0, 1, 5));
      await ledger.resolve(await reserve({ model: 'corrected' }), settled({ cost: 7n }));
      const [source] = await database.read((db) =>
        db.selectFrom('call_sources').select('digest').where('model', '=', 'corrected'),
      );
      const hour = clock.nowMs() / HOUR_MS;
      const add = (cost: bigint) => ({
        sum: { source: source?.digest ?? '', hour },
        amounts: SUM_COLUMNS.map((column) => (column === 'cost_nanos' ? cost : 0n)),
      });
      const never = database.step((db) => db.deleteFrom('facts').where('name', '=', 'none'), 'changes-row');
      const results = await Promise.allSettled([
        database.commit({ steps: [add(-10n)] }),
        database.commit({ steps: [add(1_000n), never] }),
        database.commit({ steps: [add(2_000n), { append: '"n":1}' }, never] }),
        database.commit({ steps: [add(4_000n), { sql: 'insert into none values (1)', values: [] }] }),
        database.commit({ steps: [add(1n)] }),
      ]);
      assert.deepEqual(
        results.map((result) => (result.status === 'fulfilled' ? result.value.committed : 'broken')),
        [true, false, false, 'broken', true],
      );
      const sums = await database.read((db) =>
        db
          .selectFrom('usage_days')
          .select('cost_nanos')
          .where('start', '=', BigInt(Math.floor(hour / 24))),
      );
      assert.deepEqual(
        sums.map((row) => row.cost_nanos),
        [-2n],
      );
    });
  });
}

const GROUPS = ['key', 'project', 'model', 'provider', 'credential', 'hour', 'day', 'month'] as const;

type MadeCall = typeof madeCall extends fc.Arbitrary<infer Made> ? Made : never;

/** All at once, so that they share commits. */
async function makeCalls(house: CallHouse, calls: readonly MadeCall[]): Promise<void> {
  const reservations = await Promise.all(
    calls.map((call) => {
      house.clock.setTo(START_MS + call.at);
      return house.reserve(call.facts);
    }),
  );
  await Promise.all(
    calls.flatMap((call, index) => {
      const reservation = reservations[index] ?? assert.fail();
      return Array.from({ length: call.times }, () => house.ledger.resolve(reservation, settled(call)));
    }),
  );
}

interface Asked {
  readonly groups: readonly UsageGroup[];
  readonly from: number | undefined;
  readonly length: number | undefined;
  readonly keyId: string | undefined;
  readonly credentialId: string | undefined;
  readonly wholeHours: boolean;
}

async function assertReportIsExact(house: CallHouse, asked: Asked): Promise<void> {
  const round = (ms: number) => (asked.wholeHours ? Math.floor(ms / HOUR_MS) * HOUR_MS : ms);
  const fromMs = asked.from === undefined ? undefined : round(START_MS + asked.from);
  const toMs =
    asked.length === undefined ? undefined : round(START_MS + (asked.from ?? 0) + asked.length) + HOUR_MS;
  const filter: CallFilter = {
    organizationId: ORGANIZATIONS[0] ?? assert.fail(),
    keyId: asked.keyId,
    credentialId: asked.credentialId,
    fromMs,
    toMs,
  };
  const report = await house.reports.sumUsage(filter, asked.groups);
  assert.ok(!(report instanceof Denial));
  const calls = await house.reports.listCalls(filter, { limit: 10_000 });
  assert.deepEqual(
    inOrder(report),
    inOrder(addUp(calls, asked.groups)),
    JSON.stringify({ asked, fromMs, toMs }),
  );
}

function addUp(calls: readonly CallRow[], groups: readonly UsageGroup[]): UsageSum[] {
  const none = { calls: 0n, tokens: mapTokens(() => 0n), cost: 0n };
  const sums = new Map<string, UsageSum>();
  if (groups.length === 0) sums.set('{}', { group: {}, ...none } as UsageSum);
  for (const call of calls) {
    const group = Object.fromEntries(groups.map((name) => [name, nameOf(name, call)]));
    const id = JSON.stringify(group);
    const before = sums.get(id) ?? none;
    sums.set(id, {
      group,
      calls: before.calls + (call.attempt === 1 ? 1n : 0n),
      tokens: mapTokens((each) => before.tokens[each] + BigInt(call.tokens[each])),
      cost: (before.cost + call.cost) as UsageSum['cost'],
    });
  }
  return [...sums.values()];
}

function nameOf(group: UsageGroup, call: CallRow): string {
  const time = new Date(call.reservedAtMs).toISOString();
  return {
    key: call.keyId,
    project: call.projectId,
    model: call.model,
    provider: call.provider,
    credential: call.credentialId ?? '',
    hour: `${time.slice(0, 13)}:00:00Z`,
    day: time.slice(0, 10),
    month: time.slice(0, 7),
  }[group];
}

function inOrder(sums: readonly UsageSum[]): unknown[] {
  return sums
    .map((sum) => ({
      ...sum,
      tokens: TOKEN_CLASSES.map((each) => sum.tokens[each]),
      name: JSON.stringify(sum.group),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}
