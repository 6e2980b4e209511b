/** The keys' SQL: rows in, keys out, and the steps that change them. Changes take effect in the caller's unit of work. */
import type { Id } from '@keyfold/protocol';
import { type Expression, type Kysely, sql } from 'kysely';
import { Fault } from '../kernel/fault.ts';
import type { RowMac } from '../sealing/row-mac.ts';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import type { SqlStep } from '../storage/statement.ts';
import type { CountedVersion, Key, KeyVersion, KeyWithVersions, ParentVersion, Principal } from './key.ts';
import {
  type KeyRow,
  type VersionRow,
  keyFromRow,
  keyToRow,
  versionFromRow,
  versionToRow,
} from './key-row.ts';

export interface KeyFilter {
  readonly organizationId: Id<'organization'>;
  readonly projectId?: string | undefined;
  readonly kind?: string | undefined;
  /** Its children; absent: keys that are nobody's. */
  readonly parentId?: string | undefined;
  readonly after?: string | undefined;
  readonly before?: string | undefined;
  readonly limit: number;
}

export class KeyStore {
  readonly #database: Database;
  readonly #mac: RowMac;

  constructor(database: Database, mac: RowMac) {
    this.#database = database;
    this.#mac = mac;
  }

  /** The principal whose version has this hash; `tampered` when a row does not carry the right MAC. */
  findByHash(hash: string): Promise<Principal | 'tampered' | undefined> {
    return this.#findPrincipal((db) => selectPrincipals(db).where('v.hash', '=', hash));
  }

  /** The principal of a key's newest version that lives; of one that does not, where none does. */
  findById(id: string, nowMs: number): Promise<Principal | 'tampered' | undefined> {
    return this.#findPrincipal((db) =>
      selectPrincipals(db)
        .where('k.id', '=', id)
        .orderBy(sql`case when v.expires_at is null or v.expires_at > ${BigInt(nowMs)} then 0 else 1 end`)
        .orderBy('v.version', 'desc')
        .limit(1),
    );
  }

  /** A key of the organization, or of any where none is given, by its id or by the id of any of its versions. */
  async find(
    organizationId: Id<'organization'> | undefined,
    id: string,
  ): Promise<KeyWithVersions | undefined> {
    const keys = await this.#database.read((db) =>
      db
        .selectFrom('keys')
        .selectAll()
        .$if(organizationId !== undefined, (query) =>
          query.where('organization_id', '=', organizationId as string),
        )
        .where((eb) =>
          eb.or([
            eb('id', '=', id),
            eb('id', 'in', eb.selectFrom('key_versions').select('key_id').where('key_versions.id', '=', id)),
          ]),
        ),
    );
    return (await this.#withVersions(keys))[0];
  }

  /** A key of the organization by itself. */
  async findKey(organizationId: Id<'organization'>, id: string): Promise<Key | 'tampered' | undefined> {
    const [row] = await this.#database.read((db) =>
      db.selectFrom('keys').selectAll().where('organization_id', '=', organizationId).where('id', '=', id),
    );
    return row === undefined ? undefined : (keyFromRow(row, this.#mac) ?? 'tampered');
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
      query =
        filter.parentId === undefined
          ? query.where('parent_id', 'is', null)
          : query.where('parent_id', '=', filter.parentId);
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

  /** Gives a version another end. Goes with `updateStep`, whose guard keeps two changes of one key apart. */
  endVersionStep(version: KeyVersion, atMs: number): SqlStep {
    const { id, expires_at: expiresAt, mac } = versionToRow({ ...version, expiresAtMs: atMs }, this.#mac);
    return this.#database.step((db) =>
      db
        .updateTable('key_versions')
        .set({ expires_at: expiresAt ?? null, mac })
        .where('id', '=', id),
    );
  }

  async #findPrincipal(
    build: (db: Kysely<Schema>) => ReturnType<typeof selectPrincipals>,
  ): Promise<Principal | 'tampered' | undefined> {
    const [row] = await this.#database.read(build);
    if (row === undefined) return undefined;
    const { key_row_id: keyId, organization_revision: revision, ...rest } = row;
    const key = keyFromRow(
      {
        ...rest,
        id: keyId,
        mac: row.key_mac,
        created_at: row.key_created_at,
        expires_at: row.key_expires_at,
      },
      this.#mac,
    );
    const version = versionFromRow({ ...rest, key_id: keyId }, this.#mac);
    if (key === undefined || version === undefined) return 'tampered';
    const principal = { key, version, parent: undefined, organizationRevision: Number(revision) };
    if (key.parent === undefined) return principal;
    return this.#withParent(principal, key.parent);
  }

  /** A child without its parent is worth nothing. */
  async #withParent(child: Principal, { keyId, version }: ParentVersion): Promise<Principal | 'tampered'> {
    const parent = await this.#findPrincipal((db) =>
      selectPrincipals(db).where('k.id', '=', keyId).where('v.version', '=', BigInt(version)),
    );
    if (parent === undefined || parent === 'tampered') return 'tampered';
    return { ...child, parent };
  }

  async #withVersions(rows: readonly KeyRow[]): Promise<KeyWithVersions[]> {
    if (rows.length === 0) return [];
    const ids = rows.map((row) => row.id);
    const versions = await this.#database.read((db) =>
      db
        .selectFrom('key_versions')
        .leftJoin('version_uses as u', 'u.version_id', 'key_versions.id')
        .selectAll('key_versions')
        .select(['u.uses', 'u.last_used_at'])
        .where('key_id', 'in', ids)
        .where((eb) => isOfInterest(eb.ref('key_versions.key_id')))
        .orderBy('version', 'desc'),
    );
    return rows.map((row) => {
      const key = keyFromRow(row, this.#mac);
      const own = versions
        .filter((version) => version.key_id === row.id)
        .map((version) => this.#counted(version));
      const intact = own.filter((version) => version !== undefined);
      if (key === undefined || intact.length < own.length) {
        throw new Fault('unavailable', { internal: `the rows of key ${row.id} were edited outside Keyfold` });
      }
      return { key, versions: intact };
    });
  }

  #counted(
    row: VersionRow & { uses: bigint | null; last_used_at: bigint | null },
  ): CountedVersion | undefined {
    const version = versionFromRow(row, this.#mac);
    if (version === undefined) return undefined;
    const lastUsedAtMs = row.last_used_at === null ? undefined : Number(row.last_used_at);
    return { ...version, uses: Number(row.uses ?? 0n), lastUsedAtMs };
  }
}

/** Ended versions that are still shown and counted; a key that renews itself each hour has thousands. */
const ENDED_SHOWN_MAX = 20;

/** Every version that may be alive, and the newest of those that are not. What is alive ends after the newest was made. */
function isOfInterest(keyId: Expression<string>) {
  const newest = sql`(select max(n.version) from key_versions as n where n.key_id = ${keyId})`;
  const newestMade = sql`(select max(n.created_at) from key_versions as n where n.key_id = ${keyId})`;
  return sql<boolean>`(key_versions.expires_at is null or key_versions.expires_at > ${newestMade}
    or key_versions.version > ${newest} - ${BigInt(ENDED_SHOWN_MAX)})`;
}

/** Versions with their keys; columns that both tables have are the version's, unless they say `key_`. */
function selectPrincipals(db: Kysely<Schema>) {
  return db
    .selectFrom('key_versions as v')
    .innerJoin('keys as k', 'k.id', 'v.key_id')
    .innerJoin('organizations as o', 'o.id', 'k.organization_id')
    .selectAll('k')
    .selectAll('v')
    .select([
      'k.id as key_row_id',
      'k.mac as key_mac',
      'k.created_at as key_created_at',
      'k.expires_at as key_expires_at',
      'o.revision as organization_revision',
    ]);
}
