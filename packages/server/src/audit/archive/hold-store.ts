/** Legal holds: while one is not released, no record is archived or removed. A row that was edited holds, too. */
import type { Id } from '@keyfold/protocol';
import type { Selectable } from 'kysely';
import type { RowMac } from '../../sealing/row-mac.ts';
import type { Database } from '../../storage/database.ts';
import type { Schema } from '../../storage/schema.ts';
import type { SqlStep } from '../../storage/statement.ts';
import { evictArchiverStep } from './archiver-lease.ts';

export interface AuditHold {
  readonly id: Id<'auditHold'>;
  readonly organizationId: Id<'organization'>;
  readonly reason: string;
  /** Keys. */
  readonly createdBy: string;
  readonly createdAtMs: number;
  readonly releasedBy: string | undefined;
  readonly releasedAtMs: number | undefined;
  /** The row is not what Keyfold has written: it holds, whatever it says. */
  readonly isEdited: boolean;
  readonly mac: string;
}

export interface HoldQuery {
  readonly organizationId: Id<'organization'>;
  readonly limit: number;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
}

type Row = Selectable<Schema['audit_holds']>;

/** Rows of one read when all are looked through. */
const ROWS_PER_READ = 500;

export class HoldStore {
  readonly #database: Database;
  readonly #mac: RowMac;

  constructor(parts: { readonly database: Database; readonly mac: RowMac }) {
    this.#database = parts.database;
    this.#mac = parts.mac;
  }

  /** Newest first, or nearest to `before` first; one beyond the limit when there are more. */
  async list({ organizationId, limit, after, before }: HoldQuery): Promise<AuditHold[]> {
    const rows = await this.#database.read((db) => {
      let query = db
        .selectFrom('audit_holds')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .orderBy('id', before === undefined ? 'desc' : 'asc')
        .limit(limit + 1);
      if (after !== undefined) query = query.where('id', '<', after);
      if (before !== undefined) query = query.where('id', '>', before);
      return query;
    });
    return rows.map((row) => this.#fromRow(row));
  }

  async find(organizationId: Id<'organization'>, id: string): Promise<AuditHold | undefined> {
    const [row] = await this.#database.read((db) =>
      db
        .selectFrom('audit_holds')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .where('id', '=', id),
    );
    return row === undefined ? undefined : this.#fromRow(row);
  }

  async countActive(organizationId: Id<'organization'>): Promise<number> {
    const [row] = await this.#database.read((db) =>
      db
        .selectFrom('audit_holds')
        .select((eb) => eb.fn.countAll<bigint>().as('count'))
        .where('organization_id', '=', organizationId)
        .where('released_at', 'is', null),
    );
    return Number(row?.count ?? 0);
  }

  /** Of any organization: the log is one. Released rows are looked at as well, since one may be edited into that. */
  async isAnyActive(): Promise<boolean> {
    for (let after = ''; ;) {
      const rows = await this.#database.read(
        (db) =>
          db.selectFrom('audit_holds').selectAll().where('id', '>', after).orderBy('id').limit(ROWS_PER_READ),
        'report',
      );
      const isActive = rows.some((row) => row.released_at === null || this.#fromRow(row).isEdited);
      const last = rows.at(-1);
      if (isActive || last === undefined) return isActive;
      after = last.id;
    }
  }

  /** Whoever archives at the moment has to look anew before the next row goes. */
  setSteps(hold: Omit<AuditHold, 'releasedBy' | 'releasedAtMs' | 'isEdited' | 'mac'>): SqlStep[] {
    const whole = { ...hold, releasedBy: undefined, releasedAtMs: undefined };
    const values = {
      id: hold.id,
      organization_id: hold.organizationId,
      reason: hold.reason,
      created_by: hold.createdBy,
      created_at: hold.createdAtMs,
      released_by: null,
      released_at: null,
      mac: this.#mac.sign('audit_holds', macFields(whole)),
    };
    return [
      this.#database.step((db) => db.insertInto('audit_holds').values(values)),
      evictArchiverStep(this.#database),
    ];
  }

  /** Refused where it was changed since it was read. Signs what the row says now, edited or not. */
  releaseStep(hold: AuditHold, by: { readonly releasedBy: string; readonly releasedAtMs: number }): SqlStep {
    const mac = this.#mac.sign('audit_holds', macFields({ ...hold, ...by }));
    return this.#database.step(
      (db) =>
        db
          .updateTable('audit_holds')
          .set({ released_by: by.releasedBy, released_at: by.releasedAtMs, mac })
          .where('id', '=', hold.id)
          .where('organization_id', '=', hold.organizationId)
          .where('mac', '=', hold.mac),
      'changes-row',
    );
  }

  #fromRow(row: Row): AuditHold {
    const hold = {
      id: row.id as Id<'auditHold'>,
      organizationId: row.organization_id as Id<'organization'>,
      reason: row.reason,
      createdBy: row.created_by,
      createdAtMs: Number(row.created_at),
      releasedBy: row.released_by ?? undefined,
      releasedAtMs: row.released_at === null ? undefined : Number(row.released_at),
    };
    const holds = this.#mac.holds('audit_holds', { fields: macFields(hold), mac: row.mac });
    return { ...hold, isEdited: !holds, mac: row.mac };
  }
}

function macFields(hold: Omit<AuditHold, 'isEdited' | 'mac'>): (string | number | null)[] {
  const { id, organizationId, reason, createdBy, createdAtMs, releasedBy, releasedAtMs } = hold;
  return [id, organizationId, reason, createdBy, createdAtMs, releasedBy ?? null, releasedAtMs ?? null];
}
