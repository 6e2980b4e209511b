/** Organizations and projects: their SQL. */
import type { Id } from '@keyfold/protocol';
import type { Selectable } from 'kysely';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import type { SqlStep } from '../storage/statement.ts';

/** What happens to a key that is reported as leaked: all its versions are held, or ended, or the key is revoked. */
export const LEAK_POLICIES = ['quarantine', 'rotate', 'revoke'] as const;
export type LeakPolicy = (typeof LEAK_POLICIES)[number];

export interface Organization {
  readonly id: Id<'organization'>;
  readonly name: string;
  readonly leakPolicy: LeakPolicy;
  readonly createdAtMs: number;
}

export interface Project {
  readonly id: Id<'project'>;
  readonly organizationId: Id<'organization'>;
  readonly name: string;
  readonly createdAtMs: number;
}

export class ProjectStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async findOrganization(id: Id<'organization'>): Promise<Organization | undefined> {
    const rows = await this.#database.read((db) =>
      db.selectFrom('organizations').selectAll().where('id', '=', id),
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    const leakPolicy = row.leak_policy as LeakPolicy;
    return { id, name: row.name, leakPolicy, createdAtMs: Number(row.created_at) };
  }

  async hasOrganizations(): Promise<boolean> {
    const rows = await this.#database.read((db) => db.selectFrom('organizations').select('id').limit(1));
    return rows.length > 0;
  }

  async find(organizationId: Id<'organization'>, id: string): Promise<Project | undefined> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom('projects')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .where('id', '=', id),
    );
    return rows[0] === undefined ? undefined : projectFromRow(rows[0]);
  }

  /** The first project of the first organization. */
  async findOldest(): Promise<Project | undefined> {
    const rows = await this.#database.read((db) =>
      db.selectFrom('projects').selectAll().orderBy('id').limit(1),
    );
    return rows[0] === undefined ? undefined : projectFromRow(rows[0]);
  }

  async list(organizationId: Id<'organization'>): Promise<Project[]> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom('projects')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .orderBy('id', 'desc'),
    );
    return rows.map((row) => projectFromRow(row));
  }

  insertOrganizationStep(organization: Organization): SqlStep {
    return this.#database.step((db) =>
      db.insertInto('organizations').values({
        id: organization.id,
        name: organization.name,
        created_at: organization.createdAtMs,
        revision: 1,
        leak_policy: organization.leakPolicy,
      }),
    );
  }

  setLeakPolicyStep(id: Id<'organization'>, policy: LeakPolicy): SqlStep {
    return this.#database.step(
      (db) => db.updateTable('organizations').set({ leak_policy: policy }).where('id', '=', id),
      'changes-row',
    );
  }

  /** Raises the organization's revision: a reservation decided under an older one is refused and decided anew. */
  reviseStep(id: Id<'organization'>): SqlStep {
    return this.#database.step(
      (db) =>
        db
          .updateTable('organizations')
          .set((eb) => ({ revision: eb('revision', '+', 1n) }))
          .where('id', '=', id),
      'changes-row',
    );
  }

  /** Refused when the organization has a project of that name. */
  insertStep(project: Project): SqlStep {
    return this.#database.step(
      (db) =>
        db
          .insertInto('projects')
          .values({
            id: project.id,
            organization_id: project.organizationId,
            name: project.name,
            created_at: project.createdAtMs,
          })
          .onConflict((conflict) => conflict.columns(['organization_id', 'name']).doNothing()),
      'changes-row',
    );
  }
}

function projectFromRow(row: Selectable<Schema['projects']>): Project {
  return {
    id: row.id as Id<'project'>,
    organizationId: row.organization_id as Id<'organization'>,
    name: row.name,
    createdAtMs: Number(row.created_at),
  };
}
