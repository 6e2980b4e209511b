/** The SQL of firings, and of how far the records were judged. A firing is inserted once, however many processes find it. */
import type { Id } from '@keyfold/protocol';
import type { Selectable } from 'kysely';
import type { Database } from '../storage/database.ts';
import type { DatabaseReader } from '../storage/reader.ts';
import type { Schema } from '../storage/schema.ts';
import type { SqlStep } from '../storage/statement.ts';

export interface Firing {
  readonly id: Id<'firing'>;
  readonly organizationId: string;
  readonly ruleId: string;
  readonly subject: string;
  /** From 1, for each rule and subject. */
  readonly number: number;
  readonly atMs: number;
  readonly clearedAtMs: number | undefined;
  /** What was measured and done, as it is told. */
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface FiringFilter {
  readonly organizationId: string;
  readonly ruleId?: string | undefined;
  readonly subject?: string | undefined;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
}

export class FiringStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async findLast(ruleId: string, subject: string): Promise<Firing | undefined> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom('alert_firings')
        .selectAll()
        .where('rule_id', '=', ruleId)
        .where('subject', '=', subject)
        .orderBy('number', 'desc')
        .limit(1),
    );
    return rows[0] === undefined ? undefined : fromRow(rows[0]);
  }

  /** Newest first; one more than `limit` when there are more. */
  async list(filter: FiringFilter): Promise<Firing[]> {
    const rows = await this.#database.read((db) => {
      let query = db
        .selectFrom('alert_firings')
        .selectAll()
        .where('organization_id', '=', filter.organizationId)
        .orderBy('id', filter.before === undefined ? 'desc' : 'asc')
        .limit(filter.limit + 1);
      if (filter.ruleId !== undefined) query = query.where('rule_id', '=', filter.ruleId);
      if (filter.subject !== undefined) query = query.where('subject', '=', filter.subject);
      if (filter.after !== undefined) query = query.where('id', '<', filter.after);
      if (filter.before !== undefined) query = query.where('id', '>', filter.before);
      return query;
    });
    return rows.map((row) => fromRow(row));
  }

  /** Refused when another process was first. */
  insertStep(firing: Firing): SqlStep {
    return this.#database.step(
      (db) =>
        db
          .insertInto('alert_firings')
          .values({
            id: firing.id,
            organization_id: firing.organizationId,
            rule_id: firing.ruleId,
            subject: firing.subject,
            number: firing.number,
            at: firing.atMs,
            cleared_at: null,
            detail: JSON.stringify(firing.detail),
          })
          .onConflict((conflict) => conflict.columns(['rule_id', 'subject', 'number']).doNothing()),
      'changes-row',
    );
  }

  /** Its key was resumed: what it does from now on may fire again. */
  clearStep(subject: string, nowMs: number): SqlStep {
    return this.#database.step((db) =>
      db
        .updateTable('alert_firings')
        .set({ cleared_at: nowMs })
        .where('subject', '=', subject)
        .where('cleared_at', 'is', null),
    );
  }

  removeSteps(beforeMs: number): SqlStep[] {
    return [this.#database.step((db) => db.deleteFrom('alert_firings').where('at', '<', BigInt(beforeMs)))];
  }

  /** So far the records were judged, by node. Never goes back, whoever is behind. */
  advanceSteps(positions: ReadonlyMap<number, number>): SqlStep[] {
    return [...positions].map(([node, sequence]) =>
      this.#database.step((db) =>
        db
          .insertInto('alert_positions')
          .values({ node, sequence })
          .onConflict((conflict) =>
            conflict
              .column('node')
              .doUpdateSet({ sequence })
              .where('alert_positions.sequence', '<', BigInt(sequence)),
          ),
      ),
    );
  }
}

/** By node: the last record that was judged, and what was found up to it is stored. */
export async function readPositions(
  reader: Pick<DatabaseReader, 'read'>,
): Promise<ReadonlyMap<number, number>> {
  const rows = await reader.read((db) => db.selectFrom('alert_positions').selectAll());
  return new Map(rows.map(({ node, sequence }) => [Number(node), Number(sequence)]));
}

function fromRow(row: Selectable<Schema['alert_firings']>): Firing {
  return {
    id: row.id as Id<'firing'>,
    organizationId: row.organization_id,
    ruleId: row.rule_id,
    subject: row.subject,
    number: Number(row.number),
    atMs: Number(row.at),
    clearedAtMs: row.cleared_at === null ? undefined : Number(row.cleared_at),
    detail: JSON.parse(row.detail) as Firing['detail'],
  };
}
