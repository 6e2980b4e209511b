/** Commits a change with its audit records, and with its first answer where the caller sent an Idempotency-Key. */
import type { AuditLog } from '../audit/audit-log.ts';
import type { AuditSinks } from '../audit/sinks/audit-sinks.ts';
import type { Clock } from '../kernel/clock.ts';
import { idempotencyMismatch } from '../idempotency/idempotency-key.ts';
import { Denial } from '../kernel/denial.ts';
import type { Principal } from '../keys/key.ts';
import type { KeyStore } from '../keys/key-store.ts';
import type { RowMac } from '../sealing/row-mac.ts';
import type { Sealer } from '../sealing/sealer.ts';
import type { Database } from '../storage/database.ts';
import type { Step } from '../storage/statement.ts';
import type { Change, Json, Reply } from './endpoint.ts';
import type { ProjectStore } from '../tenants/project-store.ts';

/** One POST that may be repeated. */
export interface IdempotentRequest {
  readonly key: string;
  /** By `fingerprint`: the same key for another request is refused. */
  readonly hash: string;
}

/** The caller's key was changed or revoked since it was looked at: authenticate and decide again. */
export const STALE = Symbol('stale');

export class ChangeApplier {
  readonly #database: Database;
  readonly #audit: AuditLog;
  readonly #sealer: Sealer;
  readonly #mac: RowMac;
  readonly #clock: Clock;
  readonly #projects: ProjectStore;
  readonly #keys: KeyStore;
  readonly #sinks: AuditSinks;
  readonly #onChange: () => void;

  /** `onChange` is called after every change, so that caches forget. */
  constructor(parts: {
    database: Database;
    audit: AuditLog;
    sealer: Sealer;
    mac: RowMac;
    clock: Clock;
    projects: ProjectStore;
    keys: KeyStore;
    sinks: AuditSinks;
    onChange: () => void;
  }) {
    this.#database = parts.database;
    this.#audit = parts.audit;
    this.#sealer = parts.sealer;
    this.#mac = parts.mac;
    this.#clock = parts.clock;
    this.#projects = parts.projects;
    this.#keys = parts.keys;
    this.#sinks = parts.sinks;
    this.#onChange = parts.onChange;
  }

  /** Tells requests apart without keeping them: a body may hold a secret that could be guessed from a plain hash. */
  fingerprint(request: { readonly method: string; readonly path: string; readonly body: Json }): string {
    return this.#mac.sign('idempotency', [request.method, request.path, JSON.stringify(request.body)]);
  }

  /** The first answer to this request, if it was made before; a refusal if its key was used for another. */
  async replay(principal: Principal, request: IdempotentRequest): Promise<Reply | Denial | undefined> {
    const rows = await this.#database.read((db) =>
      db
        .selectFrom('idempotency')
        .select(['request_hash', 'response'])
        .where('key_id', '=', principal.key.id)
        .where('idempotency_key', '=', request.key),
    );
    const row = rows[0];
    if (row === undefined) return undefined;
    if (row.request_hash !== request.hash) return idempotencyMismatch();
    const opened = this.#sealer.open(row.response, idempotencyContext(principal, request));
    return JSON.parse(opened.toString('utf8')) as Reply;
  }

  async apply(
    change: Change,
    by: {
      readonly principal: Principal;
      readonly requestId: string;
      readonly address: string;
      readonly idempotent: IdempotentRequest | undefined;
    },
  ): Promise<Reply | Denial | typeof STALE> {
    // What no second place hears of any more is not changed.
    this.#sinks.assertKeepingUp();
    const { principal, requestId, address, idempotent } = by;
    // What the caller was allowed is only done while they still are: a key that was revoked or changed since it was
    // looked at changes nothing any more.
    const steps: Step[] = [this.#keys.unchangedStep(principal.key)];
    if (idempotent !== undefined)
      steps.push(this.#remember(change.reply, { principal, request: idempotent }));
    if (change.isAdditive !== true) steps.push(this.#projects.reviseStep(principal.key.organizationId));
    const firstOwn = steps.length;
    steps.push(...change.steps);
    for (const event of change.events) {
      steps.push(
        this.#audit.step({
          ...event,
          actor: principal.key.id,
          decision: 'allowed',
          requestId,
          address,
          organizationId: principal.key.organizationId,
        }),
      );
    }
    const outcome = await this.#database.commit({ steps });
    if (outcome.committed) {
      if (change.isAdditive !== true) this.#onChange();
      change.afterwards?.();
      return change.reply;
    }
    if (outcome.refusedStep === 0) return STALE;
    if (idempotent !== undefined && outcome.refusedStep === 1) {
      const first = await this.replay(principal, idempotent);
      if (first !== undefined) return first;
    }
    const refusal = change.refusals?.[outcome.refusedStep - firstOwn];
    if (refusal !== undefined) return refusal;
    return new Denial('conflict', {
      message: 'It was changed by another request in the meantime. Read it again and retry.',
    });
  }

  #remember(reply: Reply, of: { readonly principal: Principal; readonly request: IdempotentRequest }): Step {
    const sealed = this.#sealer.seal(
      Buffer.from(JSON.stringify(reply), 'utf8'),
      idempotencyContext(of.principal, of.request),
    );
    return this.#database.step(
      (db) =>
        db
          .insertInto('idempotency')
          .values({
            key_id: of.principal.key.id,
            idempotency_key: of.request.key,
            request_hash: of.request.hash,
            status: reply.status,
            response: sealed,
            created_at: this.#clock.nowMs(),
          })
          .onConflict((conflict) => conflict.doNothing()),
      'changes-row',
    );
  }
}

function idempotencyContext(principal: Principal, request: IdempotentRequest): readonly string[] {
  return ['idempotency', principal.key.id, request.key, request.hash];
}
