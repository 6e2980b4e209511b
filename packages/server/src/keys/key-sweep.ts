/** The SQL of what time does to keys: versions that are about to end unrenewed, and children that are over. */
import type { Id } from '@keyfold/protocol';
import { type Kysely, sql } from 'kysely';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import type { Build, SqlStep } from '../storage/statement.ts';

export interface EndingVersion {
  readonly versionId: string;
  readonly keyId: string;
  readonly organizationId: string;
  readonly version: number;
  readonly expiresAtMs: number;
}

/** A version is about to end when this part of its life is left: one in so many. */
const ENDING_SHARE = 10n;
const ALERTS_AT_ONCE = 1_000;

/** Children of one key that are alive at once. */
export const CHILDREN_MAX = 1_000;
/** Children of one key whose rows are kept: those that are alive, and those that ended within the last day. */
export const CHILDREN_KEPT_MAX = 10_000;

export class KeySweep {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Refused when the key has as many children as it may: alive, or in all that are not forgotten yet. */
  childRoomStep(parentId: Id<'key'>, nowMs: number): SqlStep {
    const now = BigInt(nowMs);
    return this.#database.step(
      (db) =>
        db
          .selectFrom('keys')
          .select('id')
          .where('id', '=', parentId)
          .where(
            sql<boolean>`(select count(*) from keys as c where c.parent_id = ${parentId}) < ${CHILDREN_KEPT_MAX}`,
          )
          .where(
            sql<boolean>`(select count(*) from keys as c where c.parent_id = ${parentId} and c.expires_at > ${now}
              and c.revoked_at is null) < ${CHILDREN_MAX}`,
          ),
      'finds-row',
    );
  }

  /** How many newest versions of living keys have less than a tenth of their life before them. */
  async countEnding(nowMs: number): Promise<number> {
    const rows = await this.#database.read((db) =>
      selectEnding(db, nowMs).select((eb) => eb.fn.countAll<bigint>().as('count')),
    );
    return Number(rows[0]?.count ?? 0n);
  }

  /** Those of them whose owners were not told yet; a page, soonest first. */
  async listUnalerted(nowMs: number): Promise<EndingVersion[]> {
    const rows = await this.#database.read((db) =>
      selectEnding(db, nowMs)
        .select(['v.id', 'v.key_id', 'v.version', 'v.expires_at', 'k.organization_id'])
        .where('v.alerted_at', 'is', null)
        .orderBy('v.expires_at')
        .limit(ALERTS_AT_ONCE),
    );
    return rows.map((row) => ({
      versionId: row.id,
      keyId: row.key_id,
      organizationId: row.organization_id,
      version: Number(row.version),
      expiresAtMs: Number(row.expires_at),
    }));
  }

  /** Refused when somebody was told before. */
  markAlertedStep(versionId: string, nowMs: number): SqlStep {
    return this.#database.step(
      (db) =>
        db
          .updateTable('key_versions')
          .set({ alerted_at: nowMs })
          .where('id', '=', versionId)
          .where('alerted_at', 'is', null),
      'changes-row',
    );
  }

  /** Removes child keys that ended before, with everything that hangs on them. */
  removeChildrenSteps(beforeMs: number): SqlStep[] {
    const before = BigInt(beforeMs);
    const ended = (db: Kysely<Schema>) =>
      db
        .selectFrom('keys')
        .select('keys.id')
        .where('parent_id', 'is not', null)
        .where('keys.expires_at', '<', before);
    const remove = (build: Build) => this.#database.step(build);
    return [
      remove((db) =>
        db
          .deleteFrom('version_uses')
          .where('version_id', 'in', (eb) =>
            eb.selectFrom('key_versions').select('id').where('key_id', 'in', ended(db)),
          ),
      ),
      remove((db) =>
        db
          .deleteFrom('balances')
          .where('budget_id', 'in', (eb) =>
            eb.selectFrom('budgets').select('id').where('scope_id', 'in', ended(db)),
          ),
      ),
      remove((db) =>
        db
          .deleteFrom('version_uses')
          .where('version_id', 'in', (eb) =>
            eb.selectFrom('signing_secrets').select('id').where('key_id', 'in', ended(db)),
          ),
      ),
      remove((db) => db.deleteFrom('signing_secrets').where('key_id', 'in', ended(db))),
      remove((db) => db.deleteFrom('budgets').where('scope_id', 'in', ended(db))),
      remove((db) => db.deleteFrom('key_versions').where('key_id', 'in', ended(db))),
      remove((db) =>
        db.deleteFrom('keys').where('parent_id', 'is not', null).where('expires_at', '<', before),
      ),
    ];
  }
}

function selectEnding(db: Kysely<Schema>, nowMs: number) {
  const now = BigInt(nowMs);
  return db
    .selectFrom('key_versions as v')
    .innerJoin('keys as k', 'k.id', 'v.key_id')
    .where('v.expires_at', '>', now)
    .where(sql<boolean>`(v.expires_at - ${now}) * ${ENDING_SHARE} < v.expires_at - v.created_at`)
    .where('k.revoked_at', 'is', null)
    .where('k.quarantined_at', 'is', null)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('key_versions as newer')
            .select('newer.id')
            .whereRef('newer.key_id', '=', 'v.key_id')
            .whereRef('newer.version', '>', 'v.version'),
        ),
      ),
    );
}
