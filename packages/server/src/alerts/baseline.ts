/** What keys are and what they usually spend, read from storage for the rules, each remembered for a while. */
import type { Clock } from '../kernel/clock.ts';
import { ExpiringCache } from '../kernel/expiring-cache.ts';
import type { DatabaseReader } from '../storage/reader.ts';
import { BoundedMap } from './bounded-map.ts';
import type { KeyFacts } from './rule.ts';

const HOUR_S = 3_600;
const HOUR_MS = 3_600_000;
/** How far back a baseline looks. Its last hour is left out: a runaway key must not raise its own. */
const BASELINE_HOURS = 7 * 24;
/** A key with less history than this has the floor as its baseline. */
export const HISTORY_MIN_HOURS = 24;
/** What a key without a history is taken to spend in an hour: one dollar. */
export const FLOOR_NANOS_PER_HOUR = 1_000_000_000n;
const BASELINES = { entriesMax: 10_000, ttlMs: 60_000 };
const FACTS_MAX = 10_000;

/** So much was spent in so many seconds. */
export interface Baseline {
  readonly sum: bigint;
  readonly seconds: number;
}

const FLOOR: Baseline = { sum: FLOOR_NANOS_PER_HOUR, seconds: HOUR_S };

export class KeyHistory {
  readonly #reader: Pick<DatabaseReader, 'read'>;
  readonly #baselines: ExpiringCache<Baseline>;
  readonly #facts = new BoundedMap<KeyFacts>(FACTS_MAX);

  constructor(parts: { reader: Pick<DatabaseReader, 'read'>; clock: Clock }) {
    this.#reader = parts.reader;
    this.#baselines = new ExpiringCache(BASELINES, parts.clock);
  }

  /** At once where it is known. */
  factsOf(keyId: string): KeyFacts | Promise<KeyFacts | undefined> {
    return this.#facts.get(keyId) ?? this.#readFacts(keyId);
  }

  /** From whole hours of the ledger's sums, its children's among them. At once where it is known. */
  baselineOf(keyId: string, nowMs: number): Baseline | Promise<Baseline> {
    return this.#baselines.get(keyId) ?? this.#readBaseline(keyId, nowMs);
  }

  async #readFacts(keyId: string): Promise<KeyFacts | undefined> {
    const [row] = await this.#reader.read((db) =>
      db
        .selectFrom('keys')
        .select(['organization_id', 'project_id', 'created_at', 'parent_id'])
        .where('id', '=', keyId),
    );
    if (row === undefined) return undefined;
    const facts = {
      organizationId: row.organization_id,
      projectId: row.project_id,
      createdAtMs: Number(row.created_at),
      parentId: row.parent_id ?? undefined,
    };
    this.#facts.set(keyId, facts);
    return facts;
  }

  async #readBaseline(keyId: string, nowMs: number): Promise<Baseline> {
    const facts = await this.factsOf(keyId);
    const untilHour = Math.floor(nowMs / HOUR_MS) - 1;
    const fromHour = untilHour - BASELINE_HOURS;
    // Each hour by its name, so that it is looked up for the key's own sources alone.
    const everyHour = Array.from({ length: BASELINE_HOURS }, (_none, hour) => BigInt(fromHour + hour));
    const [used] = await this.#reader.read((db) =>
      db
        .selectFrom('usage_hours')
        .select((eb) => [eb.fn.sum<bigint | null>('cost_nanos').as('sum'), eb.fn.min('start').as('first')])
        .where('start', 'in', everyHour)
        .where('source', 'in', (eb) =>
          eb
            .selectFrom('call_sources')
            .select('no')
            .where('organization_id', '=', facts?.organizationId ?? '')
            .where((or) => or.or([or('key_id', '=', keyId), or('parent_id', '=', keyId)])),
        ),
    );
    const createdHour = Math.floor((facts?.createdAtMs ?? nowMs) / HOUR_MS);
    const firstHour = used?.first === null || used?.first === undefined ? Infinity : Number(used.first);
    const hours = untilHour - Math.max(fromHour, Math.min(createdHour, firstHour));
    const baseline = hours < HISTORY_MIN_HOURS ? FLOOR : { sum: used?.sum ?? 0n, seconds: hours * HOUR_S };
    this.#baselines.set(keyId, baseline);
    return baseline;
  }
}
