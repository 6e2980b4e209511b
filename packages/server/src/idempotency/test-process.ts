/** Test support: what a process has of storage, ledger, recovery and idempotent calls. */
import assert from 'node:assert/strict';
import { type Id, ZERO_NANOS } from '@keyfold/protocol';
import type { DatabasePlace } from '../../test/databases.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { AuditLog } from '../audit/audit-log.ts';
import { Denial } from '../kernel/denial.ts';
import { Fault } from '../kernel/fault.ts';
import { createNewId } from '../kernel/new-id.ts';
import { SystemRandom } from '../kernel/random.ts';
import { Ledger } from '../ledger/ledger.ts';
import { Recovery } from '../ledger/recover.ts';
import type { KeptSteps, Reservation } from '../ledger/reservation.ts';
import { NO_USAGE } from '../pricing/model-price.ts';
import { RootKey } from '../sealing/root-key.ts';
import { Sealer } from '../sealing/sealer.ts';
import type { Database } from '../storage/database.ts';
import { type AnswerBounds, AnswerRoom } from './answer-room.ts';
import { IdempotentCalls } from './idempotent-calls.ts';
import type { KeptAnswer } from './kept-answer.ts';
import type { NamedCall, ServedCall } from './served-call.ts';

export const organizationId = 'org_00000000' as Id<'organization'>;
export const GRACE_MS = 30_000;

export type TestProcess = Awaited<ReturnType<typeof openProcess>>;

export function named(name: string, of: Partial<NamedCall> = {}): NamedCall {
  return {
    organizationId,
    keyId: 'key_1',
    isTest: false,
    idempotencyKey: name,
    fingerprint: 'the one',
    ...of,
  };
}

export function answerOf(body: string): KeptAnswer {
  const facts = { contentType: 'application/json', streamed: false, requestId: 'req_1' };
  return { ...facts, status: 200, provider: 'sandbox', model: 'echo', body: Buffer.from(body) };
}

export async function addOrganization(place: DatabasePlace): Promise<void> {
  const database = await place.open();
  const organization = { id: organizationId, name: 'o', created_at: 0, revision: 1 };
  await database.commit({
    steps: [database.step((db) => db.insertInto('organizations').values(organization))],
  });
  await database.close();
}

export async function addTestKey(database: Database, id: string): Promise<void> {
  const project = { id: 'prj_00000000', organization_id: organizationId, name: 'p', created_at: 0 };
  const key = {
    id,
    organization_id: organizationId,
    project_id: project.id,
    kind: 'test',
    permissions: '[]',
  };
  const rest = { canary: 0, auto_rotate: 0, rotation_interval_s: 0, created_at: 0, revision: 1, mac: '' };
  await database.commit({
    steps: [
      database.step((db) => db.insertInto('projects').values(project)),
      database.step((db) => db.insertInto('keys').values({ ...key, ...rest })),
    ],
  });
}

export async function openProcess(place: DatabasePlace, bounds?: AnswerBounds) {
  const clock = new ManualClock();
  const database = await place.open({ nowMs: () => clock.nowMs() });
  const newId = createNewId(clock, new SystemRandom());
  let isBroken = false;
  const commit: Database['commit'] = (...given) =>
    isBroken ? Promise.reject(new Fault('unavailable', { internal: 'away' })) : database.commit(...given);
  const ledgerDatabase = new Proxy(database, {
    get: (target, name) => {
      const value: unknown = name === 'commit' ? commit : Reflect.get(target, name, target);
      return typeof value === 'function' && name !== 'prepare' ? value.bind(target) : value;
    },
  });
  const ledger = new Ledger({ database: ledgerDatabase, audit: new AuditLog(database, clock), clock, newId });
  const sealer = new Sealer(new RootKey(Buffer.alloc(32, 1)), new SystemRandom());
  const room = new AnswerRoom(database, clock, bounds);
  const calls = new IdempotentCalls({ database, sealer, clock, room });
  const reserve = async (served: ServedCall, requestId = newId('request')) => {
    const reserved = await ledger.reserve({
      call: {
        organizationId,
        projectId: 'prj_00000000' as Id<'project'>,
        keyId: 'key_1' as Id<'key'>,
        keyVersion: 1,
        requestId,
        endpoint: 'chat.completions',
        provider: 'sandbox',
        model: 'echo',
        credentialId: undefined,
        streamed: false,
        attempt: 1,
        route: undefined,
      },
      budgets: [],
      credit: undefined,
      estimate: ZERO_NANOS,
      claims: [],
      amount: ZERO_NANOS,
      organizationRevision: 1,
      condition: served,
    });
    assert.ok(typeof reserved === 'object');
    if (!(reserved instanceof Denial)) served.took(reserved.id);
    return reserved;
  };
  const resolve = (reservation: Reservation, kept?: KeptSteps) =>
    ledger.resolve(reservation, {
      kind: 'settlement',
      cost: ZERO_NANOS,
      usage: { ...NO_USAGE, provenance: 'provider' },
      status: 200,
      error: undefined,
      flags: [],
      kept,
    });
  const begin = async (call: NamedCall) => {
    const { found } = await calls.find(call);
    assert.ok(!(found instanceof Denial) && found.kind === 'free', 'the call is free');
    const served = calls.begin(call, found.owner);
    assert.ok(!(served instanceof Denial), 'nobody serves it');
    return served;
  };
  return {
    clock,
    database,
    ledger,
    calls,
    recovery: new Recovery({ database, ledger, clock }, { graceMs: GRACE_MS, lookAgainAfterMs: 50 }),
    reserve,
    resolve,
    begin,
    breakCommits: (value: boolean) => void (isBroken = value),
    /** A call from its beginning to its end. */
    serve: async (call: NamedCall, body: string | undefined) => {
      const served = await begin(call);
      const reservation = await reserve(served);
      assert.ok(!(reservation instanceof Denial));
      await resolve(reservation, served.keep(body === undefined ? undefined : answerOf(body)));
      served.end();
    },
    /** The code of its refusal, `free`, or the answer that is kept. */
    look: async (call: NamedCall) => {
      const { found } = await calls.find(call);
      if (found instanceof Denial) return found.code;
      if (found.kind === 'free') return 'free';
      const answer = await calls.open(call, found.reservationId);
      return answer instanceof Denial ? answer.code : answer.body.toString();
    },
    count: async () =>
      (await database.read((db) => db.selectFrom('idempotent_calls').select('key_id'))).length,
  };
}
