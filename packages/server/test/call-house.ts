/** Test support: a ledger over a database, and calls of whoever, whenever, that end in whatever way. */
import assert from 'node:assert/strict';
import { type Id, nanos } from '@keyfold/protocol';
import { AuditLog } from '../src/audit/audit-log.ts';
import { createNewId } from '../src/kernel/new-id.ts';
import { SystemRandom } from '../src/kernel/random.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { LedgerReports } from '../src/ledger/reports.ts';
import type { CallFacts, Reservation, Resolution } from '../src/ledger/reservation.ts';
import type { Database } from '../src/storage/database.ts';
import type { DatabasePlace } from './databases.ts';
import { ManualClock } from './manual-clock.ts';

export type CallHouse = Awaited<ReturnType<typeof openCallHouse>>;

export const ORGANIZATIONS = ['org_00000001', 'org_00000002'] as Id<'organization'>[];
export const PROJECTS = ['prj_00000001', 'prj_00000002'] as Id<'project'>[];
export const KEYS = ['key_00000001', 'key_00000002', 'key_00000003'] as Id<'key'>[];
export const CREDENTIALS = [undefined, 'crd_00000001', 'crd_00000002'] as const;

/** What two processes on one place have each. */
export async function openCallHouse(place: DatabasePlace, { isFirst = true } = {}) {
  const clock = new ManualClock();
  const database: Database = await place.open({ nowMs: () => clock.nowMs() });
  const newId = createNewId(clock, new SystemRandom());
  const ledger = new Ledger({ database, audit: new AuditLog(database, clock), clock, newId });
  if (isFirst) {
    const rows = ORGANIZATIONS.map((id) => ({ id, name: id, created_at: 0, revision: 1 }));
    await database.commit({
      steps: [database.step((db) => db.insertInto('organizations').values(rows))],
    });
  }
  const reserve = async (facts: Partial<CallFacts> = {}): Promise<Reservation> => {
    const call: CallFacts = {
      organizationId: ORGANIZATIONS[0] ?? assert.fail(),
      projectId: PROJECTS[0] ?? assert.fail(),
      keyId: KEYS[0] ?? assert.fail(),
      keyVersion: 1,
      requestId: newId('request'),
      endpoint: 'chat.completions',
      provider: 'openai',
      model: 'gpt-4.1',
      credentialId: CREDENTIALS[1],
      streamed: false,
      attempt: 1,
      route: undefined,
      ...facts,
    };
    const answer = await ledger.reserve({
      call,
      budgets: [],
      amount: nanos(100n),
      estimate: nanos(100n),
      credit: undefined,
      claims: [],
      organizationRevision: 1,
    });
    assert.ok(typeof answer === 'object' && 'holds' in answer, 'the call is reserved');
    return answer;
  };
  return { clock, database, ledger, newId, reserve, reports: new LedgerReports(database, clock) };
}

export function settled(of: { readonly cost?: bigint; readonly tokens?: number } = {}): Resolution {
  return {
    kind: 'settlement',
    cost: nanos(of.cost ?? 10n),
    usage: {
      inputTokens: of.tokens ?? 1,
      cachedInputTokens: 0,
      cacheWriteTokens: 0,
      outputTokens: 2 * (of.tokens ?? 1),
      reasoningTokens: 0,
      audioInputTokens: (of.tokens ?? 1) % 3,
      provenance: 'provider',
    },
    status: 200,
    error: undefined,
    flags: [],
  };
}
