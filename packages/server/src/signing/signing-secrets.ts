/** The signing secrets' SQL and seals: issued, rotated, found by their hash, and opened into what verifies with them. */
import type { Id } from '@keyfold/protocol';
import { SECRET_BYTES, displaySecret, formatSecret } from '@keyfold/protocol';
import { type Selectable, sql } from 'kysely';
import type { Clock } from '../kernel/clock.ts';
import { Denial } from '../kernel/denial.ts';
import { ExpiringCache } from '../kernel/expiring-cache.ts';
import { Fault } from '../kernel/fault.ts';
import type { NewId } from '../kernel/new-id.ts';
import type { RandomSource } from '../kernel/random.ts';
import type { Key } from '../keys/key.ts';
import type { KeyHasher } from '../keys/key-hash.ts';
import { type VersionEnd, planEnd, planRotation } from '../keys/plan-rotation.ts';
import type { MacField, RowMac } from '../sealing/row-mac.ts';
import type { Sealer } from '../sealing/sealer.ts';
import type { Database } from '../storage/database.ts';
import type { Schema } from '../storage/schema.ts';
import type { SqlStep } from '../storage/statement.ts';
import {
  type CountedSigningSecret,
  type SigningSecret,
  importPublicKey,
  importSecret,
} from './signing-secret.ts';
import type { Verifier } from './verify-signature.ts';

type Row = Selectable<Schema['signing_secrets']>;

const CACHE = { entriesMax: 10_000, ttlMs: 60_000 };
const FIRST_VERSION = 1;
/** Of a key that is rotated often, the newest that have ended; at most two are alive, and they are among these. */
const ENDED_SHOWN_MAX = 20;

export interface IssuedSigningSecret {
  readonly signingSecret: SigningSecret;
  /** Shown once; absent for a public key. */
  readonly secret: string | undefined;
  readonly steps: readonly SqlStep[];
}

interface LiveVerifier extends Verifier {
  readonly expiresAtMs: number | undefined;
}

export class SigningSecrets {
  readonly #database: Database;
  readonly #mac: RowMac;
  readonly #sealer: Sealer;
  readonly #hasher: KeyHasher;
  readonly #clock: Clock;
  readonly #random: RandomSource;
  readonly #newId: NewId;
  readonly #verifiers: ExpiringCache<readonly LiveVerifier[]>;

  constructor(parts: {
    database: Database;
    mac: RowMac;
    sealer: Sealer;
    hasher: KeyHasher;
    clock: Clock;
    random: RandomSource;
    newId: NewId;
  }) {
    this.#database = parts.database;
    this.#mac = parts.mac;
    this.#sealer = parts.sealer;
    this.#hasher = parts.hasher;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#newId = parts.newId;
    this.#verifiers = new ExpiringCache(CACHE, parts.clock);
  }

  /** What a signature of this key may hold under now. A change of the secrets raises the key's revision. */
  async verifiersOf(key: Key): Promise<readonly Verifier[]> {
    const name = `${key.id} ${key.revision}`;
    let verifiers = this.#verifiers.get(name);
    if (verifiers === undefined) {
      const nowMs = BigInt(this.#clock.nowMs());
      const rows = await this.#rowsOf([key.id]);
      const live = rows.filter(({ expires_at: end }) => end === null || end > nowMs);
      verifiers = live.map((row) => this.#open(row, key));
      this.#verifiers.set(name, verifiers);
    }
    const nowMs = this.#clock.nowMs();
    return verifiers.filter(({ expiresAtMs }) => (expiresAtMs ?? Infinity) > nowMs);
  }

  /** Newest first; of those that have ended the last few. */
  async list(keyIds: readonly string[]): Promise<CountedSigningSecret[]> {
    const rows = await this.#rowsOf(keyIds);
    return rows.map((row) => ({
      ...fromRow(row),
      uses: Number(row.uses ?? 0n),
      lastUsedAtMs: row.last_used_at === null ? undefined : Number(row.last_used_at),
    }));
  }

  /** The signing secret that a leaked text is; the hash is keyed, so nobody can look for one without the pepper. */
  async findBySecret(secret: string): Promise<SigningSecret | undefined> {
    const hash = this.#hasher.hash(secret);
    const rows = await this.#database.read((db) =>
      db.selectFrom('signing_secrets').selectAll().where('hash', '=', hash),
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    this.#checkMac(row);
    return fromRow(row);
  }

  /** The first of a key that is to sign, or the next: `publicKey` where the key signs with Ed25519. */
  issue(
    key: Key,
    of: { readonly publicKey: Buffer | undefined; readonly version?: number },
  ): IssuedSigningSecret {
    const secret =
      of.publicKey === undefined ? formatSecret('sig', this.#random.bytes(SECRET_BYTES)) : undefined;
    const signingSecret: SigningSecret = {
      id: this.#newId('signingSecret'),
      keyId: key.id,
      version: of.version ?? FIRST_VERSION,
      algorithm: of.publicKey === undefined ? 'hmac-sha256' : 'ed25519',
      display:
        secret === undefined ? `ed25519 ${of.publicKey?.toString('base64url') ?? ''}` : displaySecret(secret),
      createdAtMs: this.#clock.nowMs(),
      expiresAtMs: undefined,
    };
    const material =
      of.publicKey?.toString('base64url') ??
      this.#sealer.seal(Buffer.from(secret ?? '', 'utf8'), sealContext(signingSecret, key));
    const row = {
      id: signingSecret.id,
      key_id: key.id,
      version: BigInt(signingSecret.version),
      algorithm: signingSecret.algorithm,
      hash: secret === undefined ? null : this.#hasher.hash(secret),
      material,
      display: signingSecret.display,
      created_at: BigInt(signingSecret.createdAtMs),
      expires_at: null,
    };
    const mac = this.#mac.sign('signing_secrets', macFields(row));
    const step = this.#database.step((db) => db.insertInto('signing_secrets').values({ ...row, mac }));
    return { signingSecret, secret, steps: [step] };
  }

  /** Adds one; both are accepted for `graceS` seconds. The caller raises the key's revision in the same unit. */
  async rotate(
    key: Key,
    of: { readonly graceS: number; readonly publicKey: Buffer | undefined },
  ): Promise<(IssuedSigningSecret & { readonly previousExpiresAtMs: number }) | Denial> {
    const plan = planRotation(await this.list([key.id]), {
      graceS: of.graceS,
      nowMs: this.#clock.nowMs(),
      replacesUnused: false,
    });
    if (plan instanceof Denial) return plan;
    const issued = this.issue(key, { publicKey: of.publicKey, version: plan.next });
    const ends = await this.#endSteps(
      key.id,
      new Map(plan.ends.map(({ version, atMs }) => [version.id, atMs])),
    );
    return {
      ...issued,
      steps: [...issued.steps, ...ends],
      previousExpiresAtMs: plan.previousExpiresAtMs,
    };
  }

  /** Gives one that was replaced, or was never used, another end; `versions` are all of them as they then are. */
  async endVersion(
    keyId: string,
    of: VersionEnd,
  ): Promise<{ readonly versions: CountedSigningSecret[]; readonly steps: readonly SqlStep[] } | Denial> {
    const versions = await this.list([keyId]);
    const end = planEnd(versions, { ...of, nowMs: this.#clock.nowMs() });
    if (end instanceof Denial) return end;
    return {
      versions: versions.map((each) => (each === end.version ? { ...each, expiresAtMs: end.atMs } : each)),
      steps: await this.#endSteps(keyId, new Map([[end.version.id, end.atMs]])),
    };
  }

  /** A secret for a key that is to sign and has none that is alive, as after a leak; the public key of one is its owner's to give. */
  async replaceEnded(key: Key): Promise<IssuedSigningSecret | undefined> {
    if (key.signing === undefined || key.signing.algorithm === 'ed25519') return undefined;
    const nowMs = this.#clock.nowMs();
    const versions = await this.list([key.id]);
    if (versions.some(({ expiresAtMs }) => (expiresAtMs ?? Infinity) > nowMs)) return undefined;
    return this.issue(key, { publicKey: undefined, version: (versions[0]?.version ?? 0) + 1 });
  }

  /** Ends every one at once, as after a leak, or when the key is to sign no more. */
  async endAll(keyId: string): Promise<readonly SqlStep[]> {
    const nowMs = this.#clock.nowMs();
    const live = (await this.list([keyId])).filter(({ expiresAtMs }) => (expiresAtMs ?? Infinity) > nowMs);
    return this.#endSteps(keyId, new Map(live.map(({ id }) => [id, nowMs])));
  }

  async #endSteps(keyId: string, ends: ReadonlyMap<string, number>): Promise<SqlStep[]> {
    const rows = (await this.#rowsOf([keyId])).filter(({ id }) => ends.has(id));
    return rows.map((row) => {
      const expiresAt = BigInt(ends.get(row.id) ?? 0);
      const mac = this.#mac.sign('signing_secrets', macFields({ ...row, expires_at: expiresAt }));
      return this.#database.step((db) =>
        db.updateTable('signing_secrets').set({ expires_at: expiresAt, mac }).where('id', '=', row.id),
      );
    });
  }

  async #rowsOf(keyIds: readonly string[]) {
    if (keyIds.length === 0) return [];
    const rows = await this.#database.read((db) =>
      db
        .selectFrom('signing_secrets as s')
        .leftJoin('version_uses as u', 'u.version_id', 's.id')
        .selectAll('s')
        .select(['u.uses', 'u.last_used_at'])
        .where('s.key_id', 'in', [...keyIds])
        .where((eb) =>
          eb.or([
            eb('s.expires_at', 'is', null),
            sql<boolean>`s.version > (select max(n.version) from signing_secrets as n where n.key_id = s.key_id) - ${ENDED_SHOWN_MAX}`,
          ]),
        )
        .orderBy('s.version', 'desc'),
    );
    for (const row of rows) this.#checkMac(row);
    return rows;
  }

  #checkMac(row: Row): void {
    if (this.#mac.holds('signing_secrets', { fields: macFields(row), mac: row.mac })) return;
    throw new Fault('unavailable', {
      internal: `the row of signing secret ${row.id} was edited outside Keyfold`,
    });
  }

  #open(row: Row, key: Key): LiveVerifier {
    const { id, algorithm, expiresAtMs } = fromRow(row);
    if (algorithm === 'ed25519') {
      return { id, algorithm, expiresAtMs, key: importPublicKey(Buffer.from(row.material, 'base64url')) };
    }
    const text = this.#sealer.open(row.material, sealContext(fromRow(row), key));
    const verifier = { id, algorithm, expiresAtMs, key: importSecret(text) };
    text.fill(0);
    return verifier;
  }
}

function sealContext(secret: SigningSecret, key: Key): readonly string[] {
  return ['signing-secret', key.organizationId, key.id, secret.id, String(secret.version)];
}

function macFields(row: Omit<Row, 'mac' | 'display' | 'created_at'>): readonly MacField[] {
  return [row.id, row.key_id, row.version, row.algorithm, row.hash, row.material, row.expires_at];
}

function fromRow(row: Row): SigningSecret {
  return {
    id: row.id as Id<'signingSecret'>,
    keyId: row.key_id as Id<'key'>,
    version: Number(row.version),
    algorithm: row.algorithm as SigningSecret['algorithm'],
    display: row.display,
    createdAtMs: Number(row.created_at),
    expiresAtMs: row.expires_at === null ? undefined : Number(row.expires_at),
  };
}
