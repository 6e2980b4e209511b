/** Fills a database with settled calls as a team makes them, through the real ledger and its group commits. */
import assert from 'node:assert/strict';
import { type Id, nanos } from '@keyfold/protocol';
import { AuditLog } from '../../src/audit/audit-log.ts';
import { type NewId, createNewId } from '../../src/kernel/new-id.ts';
import type { RandomSource } from '../../src/kernel/random.ts';
import type { Budget } from '../../src/ledger/budget.ts';
import { Ledger } from '../../src/ledger/ledger.ts';
import type { CallFacts, Resolution } from '../../src/ledger/reservation.ts';
import type { Database } from '../../src/storage/database.ts';
import type { ManualClock } from '../manual-clock.ts';

export interface FillOptions {
  readonly database: Database;
  readonly clock: ManualClock;
  readonly calls: number;
  readonly seed: number;
  readonly startMs: number;
  readonly days: number;
  readonly keys?: number;
  /** Whose calls they are; a new organization where nothing is said. */
  readonly organization?: { readonly id: Id<'organization'>; readonly revision: number };
}

export interface Filled {
  readonly organizationId: Id<'organization'>;
  readonly revision: number;
  readonly projectIds: readonly Id<'project'>[];
  readonly keyIds: readonly Id<'key'>[];
  /** Of the key that made few calls among those of all others. */
  readonly quietKeyId: Id<'key'>;
  /** What every fill of this kind has the same number of: the calls of the quiet key. */
  readonly quietCalls: number;
  /** What the calls cost together. */
  readonly cost: bigint;
}

/** Names as vendors give them, of the usual length. */
export const MODELS = [
  ['openai', 'gpt-4.1-mini'],
  ['openai', 'gpt-4.1'],
  ['openai', 'text-embedding-3-small'],
  ['anthropic', 'claude-sonnet-4-5'],
  ['anthropic', 'claude-haiku-4-5'],
  ['google', 'gemini-2.5-flash'],
  ['google', 'gemini-2.5-pro'],
  ['deepseek', 'deepseek-chat'],
] as const;

const PROJECTS = 10;
const QUIET_CALLS = 40;
/** Calls that run at the same time, and so share commits. */
const AT_ONCE = 250;
/** Seven of ten calls of a key go to the two models that its program was written for. */
const FAITHFUL = 0.7;

export async function fillCalls(options: FillOptions): Promise<Filled> {
  const { database, clock, calls, days, startMs } = options;
  const random = createRandom(options.seed);
  const newId = createNewId(clock, bytesOf(random));
  clock.setTo(startMs);
  const ledger = new Ledger({ database, audit: new AuditLog(database, clock), clock, newId });
  const { id: organizationId, revision } = options.organization ?? (await addOrganization(database, newId));
  const projectIds = Array.from({ length: PROJECTS }, () => newId('project'));
  const keyIds = Array.from({ length: options.keys ?? 200 }, () => newId('key'));
  const quietKeyId = newId('key');
  const credentials = new Map(MODELS.map(([provider]) => [provider, newId('credential')]));
  const budgetOf = createBudgets(newId, organizationId);
  const everyQuiet = Math.max(1, Math.floor(calls / QUIET_CALLS));
  let [cost, quietCalls] = [0n, 0];

  const factsOf = (isQuiet: boolean): CallFacts => {
    // Few keys make most of the calls.
    const rank = Math.floor(random() ** 2 * keyIds.length);
    const preferred = (rank * 3 + (random() < 0.5 ? 0 : 1)) % MODELS.length;
    const any = Math.floor(random() * MODELS.length);
    const [provider, model] = MODELS[random() < FAITHFUL ? preferred : any] ?? MODELS[0];
    return {
      organizationId,
      projectId: projectIds[rank % PROJECTS] ?? newId('project'),
      keyId: isQuiet ? quietKeyId : (keyIds[rank] ?? quietKeyId),
      keyVersion: 1 + (rank % 40),
      requestId: newId('request'),
      endpoint: model.startsWith('text-embedding') ? 'embeddings' : 'chat.completions',
      provider,
      model,
      credentialId: credentials.get(provider),
      streamed: rank % 2 === 0,
      attempt: 1,
      route: undefined,
    };
  };

  for (let done = 0; done < calls; done += AT_ONCE) {
    const size = Math.min(AT_ONCE, calls - done);
    const times = Array.from({ length: size }, (_, index) =>
      Math.floor(startMs + ((done + index + random()) / calls) * days * 86_400_000),
    ).sort((a, b) => a - b);
    const reservations = await Promise.all(
      times.map((atMs, index) => {
        clock.setTo(atMs);
        const isQuiet = (done + index) % everyQuiet === 0;
        const call = factsOf(isQuiet);
        if (isQuiet) quietCalls++;
        const budgets = [budgetOf(call.keyId), budgetOf(organizationId)];
        const amount = nanos(BigInt(1_000_000 + Math.floor(random() * 90_000_000)));
        return ledger.reserve({
          call,
          budgets,
          credit: undefined,
          amount,
          estimate: amount,
          claims: [],
          organizationRevision: revision,
        });
      }),
    );
    await Promise.all(
      reservations.map((answer, index) => {
        assert.ok(typeof answer === 'object' && 'holds' in answer, 'the call is reserved');
        clock.setTo((times[index] ?? 0) + 300 + Math.floor(random() * 9_000));
        const resolution = resolutionOf(random);
        cost += resolution.cost;
        return ledger.resolve(answer, resolution);
      }),
    );
  }
  await database.barrier();
  return { organizationId, revision, projectIds, keyIds, quietKeyId, quietCalls, cost };
}

async function addOrganization(database: Database, newId: NewId) {
  const organization = { id: newId('organization'), name: 'o', created_at: 0, revision: 1 };
  await database.commit({
    steps: [database.step((db) => db.insertInto('organizations').values(organization))],
  });
  return organization;
}

function resolutionOf(random: () => number): Resolution {
  const inputTokens = 50 + Math.floor(random() ** 3 * 20_000);
  const outputTokens = Math.floor(random() * 900);
  const cachedInputTokens = random() < 0.2 ? Math.floor(inputTokens / 2) : 0;
  const failed = random() < 0.01;
  return {
    kind: 'settlement',
    cost: nanos(failed ? 0n : BigInt(inputTokens * 150 + outputTokens * 600)),
    usage: {
      inputTokens: inputTokens - cachedInputTokens,
      cachedInputTokens,
      cacheWriteTokens: 0,
      outputTokens,
      reasoningTokens: 0,
      provenance: 'provider',
    },
    status: failed ? 502 : 200,
    error: failed ? 'provider_error' : undefined,
    flags: [],
  };
}

/** A monthly cap for each key, and one for all of them, that never refuse. */
function createBudgets(newId: NewId, organizationId: Id<'organization'>) {
  const budgets = new Map<string, Budget>();
  return (scopeId: string): Budget => {
    const known = budgets.get(scopeId);
    if (known !== undefined) return known;
    const budget: Budget = {
      id: newId('budget'),
      organizationId,
      scope: scopeId === organizationId ? 'organization' : 'key',
      scopeId,
      period: 'month',
      timeZone: 'UTC',
      cap: nanos(10n ** 18n),
      raise: undefined,
      alertPercents: [],
      createdAtMs: 0,
    };
    budgets.set(scopeId, budget);
    return budget;
  };
}

/** Mulberry32: the same calls for the same seed. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function bytesOf(random: () => number): RandomSource {
  return {
    bytes: (count) => Buffer.from(Array.from({ length: count }, () => Math.floor(random() * 256))),
  };
}
