/** The credentials' SQL and seals: a secret is opened only where a request is built, and only in the row it was sealed for. */
import type { Id } from '@keyfold/protocol';
import type { Selectable } from 'kysely';
import type { Clock } from '../kernel/clock.ts';
import { ExpiringCache } from '../kernel/expiring-cache.ts';
import type { Sealer, UnwrappedSecret } from '../sealing/sealer.ts';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import type { SqlStep } from '../storage/statement.ts';
import type { Credential } from './credential.ts';

const CACHE = { entriesMax: 1_000, ttlMs: 60_000 };

/** A credential with its secret still sealed. */
export interface SealedCredential extends Credential {
  readonly sealed: string;
}

export class CredentialStore {
  readonly #database: Database;
  readonly #sealer: Sealer;
  readonly #byOrganization: ExpiringCache<readonly SealedCredential[]>;
  /** By the cached row, and gone with it: the plaintext itself is made for each call. */
  readonly #unwrapped = new WeakMap<SealedCredential, UnwrappedSecret>();

  constructor(parts: { database: Database; sealer: Sealer; clock: Clock }) {
    this.#database = parts.database;
    this.#sealer = parts.sealer;
    this.#byOrganization = new ExpiringCache(CACHE, parts.clock);
  }

  /** Every credential of the organization, oldest first, as of a revision of it or later. */
  async forOrganization(
    organizationId: Id<'organization'>,
    revision: number,
  ): Promise<readonly SealedCredential[]> {
    const name = `${organizationId} ${revision}`;
    const cached = this.#byOrganization.get(name);
    if (cached !== undefined) return cached;
    const rows = await this.#database.read((db) =>
      db.selectFrom('credentials').selectAll().where('organization_id', '=', organizationId).orderBy('id'),
    );
    const credentials = rows.map((row) => fromRow(row));
    this.#byOrganization.set(name, credentials);
    return credentials;
  }

  /** The secret. Throws `Fault('unavailable')` when the row was edited or moved: its base URL is part of the seal. */
  open(credential: SealedCredential): string {
    let unwrapped = this.#unwrapped.get(credential);
    if (unwrapped === undefined) {
      unwrapped = this.#sealer.unwrap(credential.sealed, sealContext(credential));
      this.#unwrapped.set(credential, unwrapped);
    }
    const plaintext = unwrapped.open();
    const secret = plaintext.toString('utf8');
    plaintext.fill(0);
    return secret;
  }

  /** Refused when the organization has a credential of that name. */
  insertStep(credential: Credential, secret: string): SqlStep {
    const row = this.#toRow(credential, secret);
    return this.#database.step(
      (db) =>
        db
          .insertInto('credentials')
          .values(row)
          .onConflict((conflict) => conflict.columns(['organization_id', 'name']).doNothing()),
      'changes-row',
    );
  }

  /** Replaces the credential, sealed anew, if nobody changed it since it was read or has taken its name. */
  replaceStep(
    credential: Credential,
    change: { readonly secret: string; readonly previousVersion: number },
  ): SqlStep {
    const row = this.#toRow(credential, change.secret);
    return this.#database.step(
      (db) =>
        db
          .updateTable('credentials')
          .set(row)
          .where('id', '=', credential.id)
          .where('version', '=', BigInt(change.previousVersion))
          .where((eb) =>
            eb.not(
              eb.exists(
                eb
                  .selectFrom('credentials as other')
                  .select('other.id')
                  .where('other.organization_id', '=', credential.organizationId)
                  .where('other.name', '=', credential.name)
                  .where('other.id', '!=', credential.id),
              ),
            ),
          ),
      'changes-row',
    );
  }

  removeStep(id: Id<'credential'>): SqlStep {
    return this.#database.step((db) => db.deleteFrom('credentials').where('id', '=', id), 'changes-row');
  }

  #toRow(credential: Credential, secret: string) {
    return {
      id: credential.id,
      organization_id: credential.organizationId,
      provider: credential.provider,
      name: credential.name,
      base_url: credential.baseUrl,
      allow_networks: JSON.stringify(credential.allowNetworks),
      models: credential.models === undefined ? null : JSON.stringify(credential.models),
      version: credential.version,
      sealed: this.#sealer.seal(Buffer.from(secret, 'utf8'), sealContext(credential)),
      created_at: credential.createdAtMs,
      updated_at: credential.updatedAtMs,
    };
  }
}

/** What the seal binds: whoever edits one of these in the database gets a secret that does not open. */
function sealContext(credential: Credential): readonly string[] {
  return [
    'credential',
    credential.organizationId,
    credential.id,
    String(credential.version),
    'secret',
    credential.provider,
    credential.baseUrl,
    JSON.stringify(credential.allowNetworks),
  ];
}

function fromRow(row: Selectable<Schema['credentials']>): SealedCredential {
  return {
    id: row.id as Id<'credential'>,
    organizationId: row.organization_id as Id<'organization'>,
    provider: row.provider,
    name: row.name,
    baseUrl: row.base_url,
    allowNetworks: JSON.parse(row.allow_networks) as string[],
    models: row.models === null ? undefined : (JSON.parse(row.models) as string[]),
    version: Number(row.version),
    createdAtMs: Number(row.created_at),
    updatedAtMs: Number(row.updated_at),
    sealed: row.sealed,
  };
}
