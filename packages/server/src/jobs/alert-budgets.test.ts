import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Id, nanos } from '@keyfold/protocol';
import { DATABASE_KINDS, type DatabasePlace } from '../../test/databases.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { AuditLog } from '../audit/audit-log.ts';
import { createNewId } from '../kernel/new-id.ts';
import { SystemRandom } from '../kernel/random.ts';
import type { Budget } from '../ledger/budget.ts';
import { BudgetStore } from '../ledger/budget-store.ts';
import { periodStartMs } from '../ledger/period.ts';
import { RootKey } from '../sealing/root-key.ts';
import { RowMac } from '../sealing/row-mac.ts';
import type { Database } from '../storage/database.ts';
import { createLogger } from '../telemetry/logger.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { Telemetry } from '../telemetry/telemetry.ts';
import { type AlertRooms, alertBudgets } from './alert-budgets.ts';

const organizationId = 'org_00000000' as Id<'organization'>;
const DOLLAR = 1_000_000_000n;

for (const kind of DATABASE_KINDS) {
  describe(`alerts of budgets on ${kind.name}`, () => {
    const clock = new ManualClock(Date.UTC(2026, 10, 30, 12));
    const newId = createNewId(clock, new SystemRandom());
    let place: DatabasePlace;
    let database: Database;
    let rooms: AlertRooms;

    before(async () => {
      place = await kind.create();
      database = await place.open();
      const none = () => 0;
      const metrics = new Metrics({
        callsRunning: none,
        resolutionsPending: none,
        targetsResting: none,
        checkpointAgeS: none,
      });
      const mac = new RowMac(new RootKey(Buffer.alloc(32, 5)));
      rooms = {
        database,
        clock,
        audit: new AuditLog(database, clock),
        budgets: new BudgetStore({ database, mac, clock }),
        telemetry: new Telemetry(createLogger('fatal'), metrics),
      };
    });
    after(async () => {
      await database.close();
      await place.remove();
    });

    const add = async (alertPercents: readonly number[]): Promise<Budget> => {
      const budget: Budget = {
        id: newId('budget'),
        organizationId,
        scope: 'project',
        scopeId: newId('project'),
        period: 'month',
        timeZone: 'UTC',
        cap: nanos(10n * DOLLAR),
        raise: undefined,
        alertPercents,
        createdAtMs: clock.nowMs(),
      };
      await database.commit({ steps: [rooms.budgets.insertStep(budget)] });
      return budget;
    };
    const spend = async (budget: Budget, posted: bigint) => {
      const balance = { budgetId: budget.id, periodStartMs: periodStartMs(budget, clock.nowMs()) };
      await database.commit({ steps: [{ balance, posted, held: 0n }] });
    };
    const told = async (budget: Budget) => {
      const rows = await database.read((db) =>
        db.selectFrom('audit_records').select('record').orderBy('sequence'),
      );
      return rows
        .map(({ record }) => JSON.parse(record) as { target: string; action: string; detail: object })
        .filter(({ target, action }) => target === budget.id && action === 'budget.alerted')
        .map(({ detail }) => (detail as { percent: number }).percent);
    };

    test('each share is told once in a period, however often it is looked at and by how many', async () => {
      const budget = await add([50, 80, 120]);
      const silent = await add([]);
      await spend(budget, 5n * DOLLAR - 1n);
      await spend(silent, 10n * DOLLAR);
      await alertBudgets(rooms);
      assert.deepEqual(await told(budget), []);
      await spend(budget, 1n);
      await Promise.all([alertBudgets(rooms), alertBudgets(rooms)]);
      assert.deepEqual(await told(budget), [50]);
      await spend(budget, 4n * DOLLAR);
      await alertBudgets(rooms);
      await alertBudgets(rooms);
      assert.deepEqual(await told(budget), [50, 80]);
      assert.deepEqual(await told(silent), []);
    });

    test('a new period is told of anew', async () => {
      const budget = await add([50]);
      await spend(budget, 6n * DOLLAR);
      await alertBudgets(rooms);
      clock.advance(86_400_000);
      await alertBudgets(rooms);
      assert.deepEqual(await told(budget), [50]);
      await spend(budget, 6n * DOLLAR);
      await alertBudgets(rooms);
      assert.deepEqual(await told(budget), [50, 50]);
    });

    test('one row that was edited keeps nobody else from being told', async () => {
      const edited = await add([50]);
      const sound = await add([50]);
      await spend(edited, 6n * DOLLAR);
      await spend(sound, 6n * DOLLAR);
      const raise = database.step((db) =>
        db.updateTable('budgets').set({ cap_nanos: 1n }).where('id', '=', edited.id),
      );
      await database.commit({ steps: [raise] });
      await alertBudgets(rooms);
      assert.deepEqual([await told(edited), await told(sound)], [[], [50]]);
    });

    test('of two changes of one row, the one that did not know of the other is refused', async () => {
      const budget = await add([50]);
      const raised = { ...budget, raise: { cap: nanos(20n * DOLLAR), untilMs: clock.nowMs() + 1_000 } };
      const first = await database.commit({ steps: [rooms.budgets.updateStep(raised, budget)] });
      const second = await database.commit({
        steps: [rooms.budgets.updateStep({ ...budget, cap: nanos(DOLLAR) }, budget)],
      });
      assert.deepEqual([first.committed, second.committed], [true, false]);
    });
  });
}
