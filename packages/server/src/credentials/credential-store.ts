/** The credentials' SQL and seals: a secret is opened only where a request is built, and only in the row it was sealed for. */
import type { Id } from '@keyfold/protocol';
import type { Selectable } from 'kysely';
import type { Clock } from '../kernel/clock.ts';
import { ExpiringCache } from '../kernel/expiring-cache.ts';
import type { Sealer, UnwrappedSecret } from '../sealing/sealer.ts';
import type { LimitRules } from '../limits/limiter.ts';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import type { SqlStep } from '../storage/statement.ts';
import type { Credential, StreamPolicy } from './credential.ts';

const CACHE = { entriesMax: 1_000, ttlMs: 60_000 };

/** A credential with its secret still sealed. */
export interface SealedCredential extends Credential {
  readonly sealed: string;
  /** The secret before the last rotation: for calls whose provider refuses the new one, until its grace ends. */
  readonly previous: PreviousSecret | undefined;
}

export interface PreviousSecret {
  readonly sealed: string;
  readonly untilMs: number;
}

/** A secret as it is to be stored, with the one before it where that still counts. */
export interface Secrets {
  readonly current: string;
  readonly previous?: { readonly secret: string; readonly untilMs: number } | undefined;
}

export class CredentialStore {
  readonly #database: Database;
  readonly #sealer: Sealer;
  readonly #byOrganization: ExpiringCache<readonly SealedCredential[]>;
  /** By the cached row, and gone with it: the plaintext itself is made for each call. */
  readonly #unwrapped = new WeakMap<SealedCredential | PreviousSecret, UnwrappedSecret>();

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

  /**
   * The secret; with a time, the one before the last rotation while its grace lasts. Throws `Fault('unavailable')` when the
   * row was edited or moved: its base URL is part of the seal.
   */
  open(credential: SealedCredential, previousAtMs?: number): string {
    const { previous } = credential;
    return previousAtMs !== undefined && previous !== undefined && previous.untilMs > previousAtMs
      ? this.#open(previous, sealContext(credential, 'previous', previous.untilMs))
      : this.#open(credential, sealContext(credential, 'secret'));
  }

  #open(sealed: SealedCredential | PreviousSecret, context: readonly string[]): string {
    let unwrapped = this.#unwrapped.get(sealed);
    if (unwrapped === undefined) {
      unwrapped = this.#sealer.unwrap(sealed.sealed, context);
      this.#unwrapped.set(sealed, unwrapped);
    }
    const plaintext = unwrapped.open();
    const secret = plaintext.toString('utf8');
    plaintext.fill(0);
    return secret;
  }

  /** Refused when the organization has a credential of that name. */
  insertStep(credential: Credential, secret: string): SqlStep {
    const row = this.#toRow(credential, { current: secret });
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
    change: { readonly secrets: Secrets; readonly previousVersion: number },
  ): SqlStep {
    const row = this.#toRow(credential, change.secrets);
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

  /** Erases secrets from before a rotation whose grace has ended. */
  async forgetPrevious(nowMs: number): Promise<void> {
    const step = this.#database.step((db) =>
      db
        .updateTable('credentials')
        .set({ previous_sealed: null, previous_until: null })
        .where('previous_until', '<=', BigInt(nowMs)),
    );
    await this.#database.commit({ steps: [step] }, 'soon');
  }

  removeStep(id: Id<'credential'>): SqlStep {
    return this.#database.step((db) => db.deleteFrom('credentials').where('id', '=', id), 'changes-row');
  }

  #toRow(credential: Credential, { current, previous }: Secrets) {
    const seal = (secret: string, field: SealedField, untilMs?: number) =>
      this.#sealer.seal(Buffer.from(secret, 'utf8'), sealContext(credential, field, untilMs));
    return {
      id: credential.id,
      organization_id: credential.organizationId,
      provider: credential.provider,
      name: credential.name,
      base_url: credential.baseUrl,
      allow_networks: JSON.stringify(credential.allowNetworks),
      models: credential.models === undefined ? null : JSON.stringify(credential.models),
      version: credential.version,
      weight: credential.weight,
      limits: renderLimits(credential.limits),
      stream_policy: credential.streamPolicy,
      sealed: seal(current, 'secret'),
      previous_sealed: previous === undefined ? null : seal(previous.secret, 'previous', previous.untilMs),
      previous_until: previous?.untilMs ?? null,
      created_at: credential.createdAtMs,
      updated_at: credential.updatedAtMs,
    };
  }
}

type SealedField = 'secret' | 'previous';

/** What the seal binds: whoever edits one of these in the database gets a secret that does not open. */
function sealContext(credential: Credential, field: SealedField, untilMs?: number): readonly string[] {
  return [
    'credential',
    credential.organizationId,
    credential.id,
    String(credential.version),
    field,
    credential.provider,
    credential.baseUrl,
    JSON.stringify(credential.allowNetworks),
    // What bounds its use: an editor of the database must not widen it.
    JSON.stringify([credential.models ?? null, credential.weight, credential.streamPolicy]),
    renderLimits(credential.limits) ?? '',
    ...(untilMs === undefined ? [] : [String(untilMs)]),
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
    weight: Number(row.weight),
    limits: parseLimits(row.limits),
    streamPolicy: row.stream_policy as StreamPolicy,
    sealed: row.sealed,
    previous:
      row.previous_sealed === null || row.previous_until === null
        ? undefined
        : { sealed: row.previous_sealed, untilMs: Number(row.previous_until) },
  };
}

/** Requests, tokens, concurrent requests; null where there is no limit. */
type StoredLimits = readonly [number | null, number | null, number | null];

function renderLimits(limits: LimitRules): string | null {
  const { requestsPerMinute, tokensPerMinute, concurrentRequests } = limits;
  const stored = [requestsPerMinute, tokensPerMinute, concurrentRequests].map((limit) => limit ?? null);
  return stored.every((limit) => limit === null) ? null : JSON.stringify(stored);
}

function parseLimits(text: string | null): LimitRules {
  const [requests, tokens, concurrent] = text === null ? NO_LIMITS : (JSON.parse(text) as StoredLimits);
  return {
    requestsPerMinute: requests ?? undefined,
    tokensPerMinute: tokens ?? undefined,
    concurrentRequests: concurrent ?? undefined,
  };
}

const NO_LIMITS: StoredLimits = [null, null, null];
