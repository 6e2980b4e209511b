/** The SQL of what keys were seen with. */
import type { Database } from '../storage/database.ts';
import type { DatabaseReader } from '../storage/reader.ts';
import type { SqlStep } from '../storage/statement.ts';
import type { Sighting, SightingKind } from './rule.ts';
import { type KnownSightings, SIGHTINGS_MAX } from './sighting-memory.ts';

export class SightingStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** What keys that are no more were seen with. */
  removeSteps(): SqlStep[] {
    return (['alert_sightings', 'alert_lessons'] as const).map((table) =>
      this.#database.step((db) =>
        db.deleteFrom(table).where('key_id', 'not in', (eb) => eb.selectFrom('keys').select('keys.id')),
      ),
    );
  }

  /** Remembers it, and forgets the oldest of its kind where there are too many. Refuses nothing. */
  rememberSteps({ keyId, kind, value, atMs, calls }: Sighting): SqlStep[] {
    return [
      this.#database.step((db) =>
        db
          .insertInto('alert_lessons')
          .values({ key_id: keyId, kind, since: atMs, calls })
          .onConflict((conflict) =>
            conflict.columns(['key_id', 'kind']).doUpdateSet({ calls: BigInt(calls) }),
          ),
      ),
      this.#database.step((db) =>
        db
          .insertInto('alert_sightings')
          .values({ key_id: keyId, kind, value, at: atMs })
          .onConflict((conflict) => conflict.doNothing()),
      ),
      this.#database.step((db) =>
        db
          .deleteFrom('alert_sightings')
          .where('key_id', '=', keyId)
          .where('kind', '=', kind)
          .where('value', 'not in', (eb) =>
            eb
              .selectFrom('alert_sightings as kept')
              .select('kept.value')
              .where('kept.key_id', '=', keyId)
              .where('kept.kind', '=', kind)
              .orderBy('kept.at', 'desc')
              .orderBy('kept.value', 'desc')
              .limit(SIGHTINGS_MAX),
          ),
      ),
    ];
  }
}

export async function readSightings(
  reader: Pick<DatabaseReader, 'read'>,
  keyId: string,
  kind: SightingKind,
): Promise<KnownSightings> {
  const [lesson] = await reader.read((db) =>
    db.selectFrom('alert_lessons').selectAll().where('key_id', '=', keyId).where('kind', '=', kind),
  );
  const rows = await reader.read((db) =>
    db
      .selectFrom('alert_sightings')
      .select('value')
      .where('key_id', '=', keyId)
      .where('kind', '=', kind)
      .orderBy('at')
      .orderBy('value')
      .limit(SIGHTINGS_MAX),
  );
  return {
    sinceMs: lesson === undefined ? undefined : Number(lesson.since),
    calls: Number(lesson?.calls ?? 0n),
    values: rows.map(({ value }) => value),
  };
}
