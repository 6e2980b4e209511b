/** The keys' SQL: rows in, keys out, and the steps that change them. Changes take effect in the caller's unit of work. */
import type { Id } from '@keyfold/protocol';
import { Fault } from '../kernel/fault.ts';
import type { RowMac } from '../sealing/row-mac.ts';
import type { Database } from '../storage/database.ts';
import type { SqlStep } from '../storage/statement.ts';
import type { Key, KeyVersion, Principal } from './key.ts';
import { type KeyRow, keyFromRow, keyToRow, versionFromRow, versionToRow } from './key-row.ts';

export interface KeyFilter {
  readonly organizationId: Id<'organization'>;
  readonly projectId?: string | undefined;
  readonly kind?: string | undefined;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
}

export interface KeyWithVersions {
  readonly key: Key;
  readonly versions: readonly KeyVersion[];
}

export class KeyStore {
  readonly #database: Database;
  readonly #mac: RowMac;

  constructor(database: Database, mac: RowMac) {
    this.#database = database;
    this.#mac = mac;
  }

  /** The principal whose version has this hash; `tampered` when its row does not carry the right MAC. */
  async findByHash(hash: string): Promise<Principal | 'tampered' | undefined> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom('key_versions as v')
        .innerJoin('keys as k', 'k.id', 'v.key_id')
        .innerJoin('organizations as o', 'o.id', 'k.organization_id')
        .selectAll('k')
        .select([
          'v.id as version_id',
          'v.version',
          'v.pepper_version',
          'v.display',
          'v.created_at as version_created_at',
          'v.expires_at as version_expires_at',
          'v.mac as version_mac',
          'o.revision as organization_revision',
        ])
        .where('v.hash', '=', hash),
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    const key = keyFromRow(row, this.#mac);
    const version = versionFromRow(
      {
        id: row.version_id,
        key_id: row.id,
        version: row.version,
        hash,
        pepper_version: row.pepper_version,
        display: row.display,
        created_at: row.version_created_at,
        expires_at: row.version_expires_at,
        mac: row.version_mac,
      },
      this.#mac,
    );
    if (key === undefined || version === undefined) return 'tampered';
    return { key, version, organizationRevision: Number(row.organization_revision) };
  }

  /** A key of the organization by its id, or by the id of any of its versions. */
  async find(organizationId: Id<'organization'>, id: string): Promise<KeyWithVersions | undefined> {
    const keys = await this.#database.read((db) =>
      db
        .selectFrom('keys')
        .selectAll()
        .where('organization_id', '=', organizationId)
        .where((eb) =>
          eb.or([
            eb('id', '=', id),
            eb('id', 'in', eb.selectFrom('key_versions').select('key_id').where('key_versions.id', '=', id)),
          ]),
        ),
    );
    return (await this.#withVersions(keys))[0];
  }

  /** Newest first; one more than `limit` when there are more. */
  async list(filter: KeyFilter): Promise<KeyWithVersions[]> {
    const keys = await this.#database.read((db) => {
      let query = db
        .selectFrom('keys')
        .selectAll()
        .where('organization_id', '=', filter.organizationId)
        .orderBy('id', filter.before === undefined ? 'desc' : 'asc')
        .limit(filter.limit + 1);
      if (filter.projectId !== undefined) query = query.where('project_id', '=', filter.projectId);
      if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind);
      if (filter.after !== undefined) query = query.where('id', '<', filter.after);
      if (filter.before !== undefined) query = query.where('id', '>', filter.before);
      return query;
    });
    return this.#withVersions(keys);
  }

  insertSteps(key: Key, version: KeyVersion): SqlStep[] {
    return [
      this.#database.step((db) => db.insertInto('keys').values(keyToRow(key, this.#mac))),
      this.insertVersionStep(version),
    ];
  }

  insertVersionStep(version: KeyVersion): SqlStep {
    return this.#database.step((db) =>
      db.insertInto('key_versions').values(versionToRow(version, this.#mac)),
    );
  }

  /** Refused when the key was changed or revoked since it was read. */
  unchangedStep(key: Key): SqlStep {
    return this.#database.step(
      (db) =>
        db
          .selectFrom('keys')
          .select('id')
          .where('id', '=', key.id)
          .where('revision', '=', BigInt(key.revision)),
      'finds-row',
    );
  }

  /** Replaces the key's row and raises its revision, if nobody changed it since it was read. */
  updateStep(key: Key): SqlStep {
    const { id, revision, ...row } = keyToRow(key, this.#mac);
    return this.#database.step(
      (db) =>
        db
          .updateTable('keys')
          .set({ ...row, revision: BigInt(revision) + 1n })
          .where('id', '=', id)
          .where('revision', '=', BigInt(revision)),
      'changes-row',
    );
  }

  /** Gives a version another end. */
  endVersionStep(version: KeyVersion, atMs: number): SqlStep {
    const { id, expires_at: expiresAt, mac } = versionToRow({ ...version, expiresAtMs: atMs }, this.#mac);
    return this.#database.step((db) =>
      db
        .updateTable('key_versions')
        .set({ expires_at: expiresAt ?? null, mac })
        .where('id', '=', id),
    );
  }

  async #withVersions(rows: readonly KeyRow[]): Promise<KeyWithVersions[]> {
    if (rows.length === 0) return [];
    const ids = rows.map((row) => row.id);
    const versions = await this.#database.read((db) =>
      db.selectFrom('key_versions').selectAll().where('key_id', 'in', ids).orderBy('version', 'desc'),
    );
    return rows.map((row) => {
      const key = keyFromRow(row, this.#mac);
      const own = versions
        .filter((version) => version.key_id === row.id)
        .map((version) => versionFromRow(version, this.#mac));
      const intact = own.filter((version) => version !== undefined);
      if (key === undefined || intact.length < own.length) {
        throw new Fault('unavailable', { internal: `the rows of key ${row.id} were edited outside Keyfold` });
      }
      return { key, versions: intact };
    });
  }
}
