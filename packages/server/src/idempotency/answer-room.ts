/** Bounds what kept answers take, so that nobody fills a disk with them. */
import { sql } from 'kysely';
import type { Clock } from '../kernel/clock.ts';
import { Denial } from '../kernel/denial.ts';
import type { Database } from '../storage/database.ts';

export interface AnswerBounds {
  readonly keyBytesMax: number;
  readonly organizationBytesMax: number;
  /** Of all test keys of an organization, beside its own share: what costs nothing must take no room from what does. */
  readonly testBytesMax: number;
}

export const ANSWER_BOUNDS: AnswerBounds = {
  keyBytesMax: 256 * 1_048_576,
  organizationBytesMax: 1_024 * 1_048_576,
  testBytesMax: 256 * 1_048_576,
};

/** What a call takes beside its answer, or without one: so the number of calls is bounded as well. */
const CALL_BYTES = 512;
/** What other processes have kept, and what was forgotten, is known so much later. */
const COUNTED_AGAIN_AFTER_MS = 5_000;
/** Room comes back as the calls of a day ago are forgotten: to ask much sooner is no use. */
const RETRY_AFTER_MS = 3_600_000;

export interface AnswerOwner {
  readonly organizationId: string;
  readonly keyId: string;
  readonly isTest: boolean;
}

interface Counted {
  readonly atMs: number;
  readonly byKey: Map<string, number>;
  /** Of all keys but test keys, and of test keys. */
  live: number;
  test: number;
}

/** Answers of calls that still run are not counted: together they may go beyond a bound by one answer each. */
export class AnswerRoom {
  readonly #database: Database;
  readonly #clock: Clock;
  readonly #bounds: AnswerBounds;
  readonly #counted = new Map<string, Counted>();
  readonly #counting = new Map<string, Promise<Counted>>();

  constructor(database: Database, clock: Clock, bounds: AnswerBounds = ANSWER_BOUNDS) {
    this.#database = database;
    this.#clock = clock;
    this.#bounds = bounds;
  }

  /** Why no other call can be remembered, where there is no room for one. Throws when that cannot be known. */
  async check({ organizationId, keyId, isTest }: AnswerOwner): Promise<Denial | undefined> {
    const { byKey, live, test } = await this.#count(organizationId);
    const { keyBytesMax, organizationBytesMax, testBytesMax } = this.#bounds;
    if ((byKey.get(keyId) ?? 0) >= keyBytesMax) return full('key', keyBytesMax);
    if (isTest) return test >= testBytesMax ? full('test_keys', testBytesMax) : undefined;
    return live >= organizationBytesMax ? full('organization', organizationBytesMax) : undefined;
  }

  /** A call was begun, or an answer of so many bytes was kept. */
  take({ organizationId, keyId, isTest }: AnswerOwner, bytes: number = CALL_BYTES): void {
    const counted = this.#counted.get(organizationId);
    if (counted === undefined) return;
    counted[isTest ? 'test' : 'live'] += bytes;
    counted.byKey.set(keyId, (counted.byKey.get(keyId) ?? 0) + bytes);
  }

  async #count(organizationId: string): Promise<Counted> {
    const known = this.#counted.get(organizationId);
    if (known !== undefined && this.#clock.monotonicMs() - known.atMs < COUNTED_AGAIN_AFTER_MS) return known;
    // Once for all who ask meanwhile.
    let counting = this.#counting.get(organizationId);
    if (counting === undefined) {
      counting = this.#countAnew(organizationId).finally(() => this.#counting.delete(organizationId));
      this.#counting.set(organizationId, counting);
    }
    return counting;
  }

  async #countAnew(organizationId: string): Promise<Counted> {
    const atMs = this.#clock.monotonicMs();
    const rows = await this.#database.read((db) =>
      db
        .selectFrom((of) =>
          of
            .selectFrom('idempotent_calls')
            .select('key_id')
            .select(sql<bigint>`cast(sum(bytes) + count(*) * ${CALL_BYTES} as bigint)`.as('taken'))
            .where('organization_id', '=', organizationId)
            .groupBy('key_id')
            .as('c'),
        )
        .leftJoin('keys as k', 'k.id', 'c.key_id')
        .select(['c.key_id', 'c.taken', 'k.kind']),
    );
    const byKey = new Map(rows.map(({ key_id: keyId, taken }) => [keyId, Number(taken)]));
    const counted = { atMs, byKey, live: 0, test: 0 };
    for (const { kind, taken } of rows) counted[kind === 'test' ? 'test' : 'live'] += Number(taken);
    this.#counted.set(organizationId, counted);
    return counted;
  }
}

const SCOPES = {
  key: 'of the key',
  organization: 'of the organization',
  test_keys: "of the organization's test keys",
};

function full(scope: keyof typeof SCOPES, bytesMax: number): Denial {
  return new Denial('rate_limit_exceeded', {
    message: `The answers that are kept for calls with an Idempotency-Key have filled the ${bytesMax / 1_048_576} MiB ${SCOPES[scope]}. Each is forgotten after 24 hours; a call without the header is served.`,
    retryAfterMs: RETRY_AFTER_MS,
    facts: { limit: 'idempotency_storage', scope },
  });
}
