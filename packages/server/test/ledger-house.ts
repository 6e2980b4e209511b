/** Test support: a ledger with its budgets on a real database, with a clock that tests set. */
import assert from 'node:assert/strict';
import { type Id, nanos } from '@keyfold/protocol';
import { AuditLog } from '../src/audit/audit-log.ts';
import { Denial } from '../src/kernel/denial.ts';
import { createNewId } from '../src/kernel/new-id.ts';
import { SystemRandom } from '../src/kernel/random.ts';
import type { Budget, BudgetPeriod, Scope } from '../src/ledger/budget.ts';
import { BudgetStore } from '../src/ledger/budget-store.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import type { Period } from '../src/ledger/period.ts';
import { LedgerReports } from '../src/ledger/reports.ts';
import type { Reservation, Resolution } from '../src/ledger/reservation.ts';
import { RootKey } from '../src/sealing/root-key.ts';
import { RowMac } from '../src/sealing/row-mac.ts';
import type { Database } from '../src/storage/database.ts';
import type { DatabasePlace } from './databases.ts';
import { ManualClock } from './manual-clock.ts';

const organizationId = 'org_00000000' as Id<'organization'>;
const projectId = 'prj_00000000' as Id<'project'>;

export type LedgerHouse = Awaited<ReturnType<typeof openLedgerHouse>>;

/** The budgets of each key that a test made; they outlive a closed database. */
const owned = new Map<string, Budget[]>();

export async function openLedgerHouse(place: DatabasePlace) {
  const clock = new ManualClock();
  const database: Database = await place.open({ nowMs: () => clock.nowMs() });
  const newId = createNewId(clock, new SystemRandom());
  const ledger = new Ledger({ database, audit: new AuditLog(database, clock), clock, newId });
  const budgets = new BudgetStore({ database, mac: new RowMac(new RootKey(Buffer.alloc(32, 1))), clock });
  const states = (key: string) => budgets.statesOf(owned.get(key) ?? []);
  return {
    clock,
    database,
    ledger,
    budgets,
    states,
    held: async (key: string) => (await states(key)).map((state) => state.held),
    /** What is kept of a key's budgets, by period. */
    balances: (key: string) =>
      database.read((db) =>
        db
          .selectFrom('balances')
          .selectAll()
          .where(
            'budget_id',
            'in',
            (owned.get(key) ?? []).map(({ id }) => id),
          )
          .where('period_start', '>=', 0n)
          .orderBy('period_start'),
      ),
    calls: async (key: string) => {
      await database.barrier();
      const reports = new LedgerReports(database, clock);
      return (await reports.listCalls({ organizationId, keyId: key }, { limit: 1_000 })).toReversed();
    },
    /** What a fresh database needs before a reservation. */
    found: () =>
      database.commit({
        steps: [
          database.step((db) =>
            db
              .insertInto('organizations')
              .values({ id: organizationId, name: 'o', created_at: 0, revision: 1 }),
          ),
        ],
      }),
    newKey: async (caps: readonly (readonly [Scope, bigint, (Period | BudgetPeriod)?])[]) => {
      const key = newId('key');
      const made = caps.map(([scope, cap, period = 'total']): Budget => ({
        id: newId('budget'),
        organizationId,
        scope,
        scopeId: scope === 'key' ? key : `${scope}-of-${key}`,
        ...(typeof period === 'string' ? { period } : period),
        timeZone: 'UTC',
        cap: nanos(cap),
        raise: undefined,
        alertPercents: [],
        createdAtMs: 0,
      }));
      owned.set(key, made);
      await database.commit({ steps: made.map((budget) => budgets.insertStep(budget)) });
      return key;
    },
    setCap: async (key: string, cap: bigint) => {
      const before = owned.get(key) ?? [];
      owned.set(
        key,
        before.map((budget) => ({ ...budget, cap: nanos(cap) })),
      );
      const steps = before.map((budget) => budgets.updateStep({ ...budget, cap: nanos(cap) }, budget));
      await database.commit({ steps });
    },
    /** A ledger over a database that fails in its own way until it is healed. */
    ledgerThat: (fail: (commit: () => Promise<unknown>) => Promise<never> | never) => {
      let isBroken = true;
      const commit: Database['commit'] = async (unit, urgency) =>
        isBroken ? fail(() => database.commit(unit, urgency)) : database.commit(unit, urgency);
      const faulty = new Proxy(database, {
        get: (target, name) => {
          const value: unknown = name === 'commit' ? commit : Reflect.get(target, name, target);
          return typeof value === 'function' && name !== 'prepare' ? value.bind(target) : value;
        },
      });
      const own = new Ledger({ database: faulty, audit: new AuditLog(database, clock), clock, newId });
      return { ledger: own, heal: () => void (isBroken = false) };
    },
    reserve: (
      key: Id<'key'>,
      amount: bigint,
      { organizationRevision = 1, ledger: by = ledger, estimate = amount } = {},
    ) =>
      by.reserve({
        call: {
          organizationId,
          projectId,
          keyId: key,
          keyVersion: 1,
          requestId: newId('request'),
          endpoint: 'chat.completions',
          provider: 'sandbox',
          model: 'echo',
          credentialId: undefined,
          streamed: false,
          attempt: 1,
          route: undefined,
        },
        budgets: owned.get(key) ?? [],
        credit: undefined,
        amount: nanos(amount),
        estimate: nanos(estimate),
        claims: [],
        organizationRevision,
      }),
  };
}

export function resolution(kind: Resolution['kind'], cost: bigint): Resolution {
  const usage = {
    inputTokens: 1,
    cachedInputTokens: 0,
    cacheWriteTokens: 0,
    outputTokens: 1,
    reasoningTokens: 0,
  };
  return {
    kind,
    cost: nanos(cost),
    usage: { ...usage, provenance: 'provider' },
    status: 200,
    error: undefined,
    flags: [],
  };
}

export function isReserved(answer: Awaited<ReturnType<Ledger['reserve']>>): answer is Reservation {
  return typeof answer !== 'symbol' && !(answer instanceof Denial);
}

export function reserved(answer: Awaited<ReturnType<Ledger['reserve']>>): Reservation {
  assert.ok(isReserved(answer), 'the call is reserved');
  return answer;
}
