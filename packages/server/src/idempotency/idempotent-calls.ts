/**
 * Model calls under an Idempotency-Key: who serves one, and the answer that is given again. A row belongs to the
 * reservation of the call's newest attempt. While that is there, the call is under way, in whatever process; when it is
 * gone and no answer was kept, the call has come to nothing, and the next one may take the row over.
 */
import type { Clock } from '../kernel/clock.ts';
import { Denial } from '../kernel/denial.ts';
import type { Sealer } from '../sealing/sealer.ts';
import type { Database } from '../storage/database.ts';
import { AnswerRoom } from './answer-room.ts';
import { type CallStatements, prepareCallStatements } from './call-statements.ts';
import { IDEMPOTENCY_LIFE_MS, idempotencyMismatch } from './idempotency-key.ts';
import { KEPT_ANSWER_BYTES_MAX, type KeptAnswer, decodeAnswer } from './kept-answer.ts';
import { type NamedCall, ServedCall, inFlight, sealContext } from './served-call.ts';

export type Found =
  /** It was answered, by the attempt of this reservation: `open` has its answer. */
  | { readonly kind: 'kept'; readonly reservationId: string }
  /** Nobody serves it. `owner`: the reservation that its row belongs to. */
  | { readonly kind: 'free'; readonly owner: string }
  | Denial;

/** Owner of a row that is not there. */
const NOBODY = '';
/** Rows that are forgotten in one commit: each may have a mebibyte that is given back page by page. */
const FORGOTTEN_AT_ONCE = 50;

export class IdempotentCalls {
  readonly #database: Database;
  readonly #sealer: Sealer;
  readonly #clock: Clock;
  readonly #room: AnswerRoom;
  readonly #sql: CallStatements;
  /** What this process serves: also between two attempts of a call, when no reservation tells of it. */
  readonly #served = new Map<string, NamedCall>();

  constructor(parts: { database: Database; sealer: Sealer; clock: Clock; room?: AnswerRoom }) {
    this.#database = parts.database;
    this.#sealer = parts.sealer;
    this.#clock = parts.clock;
    this.#room = parts.room ?? new AnswerRoom(parts.database, parts.clock);
    this.#sql = prepareCallStatements(parts.database);
  }

  /**
   * What is known of the call, and the organization's revision at that moment. Throws `Fault('unavailable')` where that
   * cannot be read. Answers are long: none is read here.
   */
  async find(call: NamedCall): Promise<{ readonly found: Found; readonly revision: number }> {
    let [row] = await this.#read(call);
    if (row !== undefined && row.held_by !== null && !this.#served.has(nameOf(call))) {
      // A call that this process has just ended may still be on its way to the disk.
      await this.#database.barrier();
      [row] = await this.#read(call);
    }
    return { found: this.#judge(call, row), revision: Number(row?.revision) };
  }

  /**
   * The answer that was found kept. Throws `Fault('unavailable')` where it cannot be read, and where it was edited or moved
   * in the database.
   */
  async open(call: NamedCall, reservationId: string): Promise<KeptAnswer | Denial> {
    const [row] = await this.#database.read((db) =>
      db
        .selectFrom('idempotent_calls')
        .select('answer')
        .where('key_id', '=', call.keyId)
        .where('idempotency_key', '=', call.idempotencyKey)
        .where('reservation_id', '=', reservationId),
    );
    // Its day ended since it was found: who asks again makes a new call.
    if (row === undefined || row.answer === null) return inFlight();
    return decodeAnswer(this.#sealer.open(row.answer, sealContext(call)));
  }

  /** Why another call cannot be remembered, where there is no room for one. */
  checkRoom(call: NamedCall): Promise<Denial | undefined> {
    return this.#room.check(call);
  }

  /** Begins to serve a call that was found free, unless another request to this process has begun since. */
  begin(call: NamedCall, owner: string): ServedCall | Denial {
    const name = nameOf(call);
    const served = this.#served.get(name);
    if (served !== undefined) {
      return served.fingerprint === call.fingerprint ? inFlight() : idempotencyMismatch();
    }
    this.#served.set(name, call);
    this.#room.take(call);
    const parts = { clock: this.#clock, sealer: this.#sealer, room: this.#room, sql: this.#sql };
    return new ServedCall(parts, call, { owner, onEnd: () => this.#served.delete(name) });
  }

  /** Forgets what is older than anybody may ask for, a page at a time. */
  async prune(): Promise<void> {
    const before = this.#clock.nowMs() - IDEMPOTENCY_LIFE_MS;
    const step = this.#sql.forget({ before, limit: FORGOTTEN_AT_ONCE });
    let isMore = true;
    while (isMore) isMore = (await this.#database.commit({ steps: [step] }, 'soon')).committed;
  }

  /** One statement, so that the row and its reservation are seen as one commit left them. */
  #read(call: NamedCall) {
    return this.#database.read((db) =>
      db
        .selectFrom('organizations as o')
        .leftJoin('idempotent_calls as c', (join) =>
          join
            .on('c.key_id', '=', call.keyId)
            .on('c.idempotency_key', '=', call.idempotencyKey)
            .onRef('c.organization_id', '=', 'o.id'),
        )
        .leftJoin('reservations as r', 'r.id', 'c.reservation_id')
        .select(['o.revision', 'c.fingerprint', 'c.reservation_id', 'c.state', 'c.created_at'])
        .select('r.id as held_by')
        .where('o.id', '=', call.organizationId),
    );
  }

  #judge(call: NamedCall, row: Row | undefined): Found {
    if (row === undefined || row.reservation_id === null) return { kind: 'free', owner: NOBODY };
    const isForgotten = Number(row.created_at) < this.#clock.nowMs() - IDEMPOTENCY_LIFE_MS;
    const isOver = row.state === 'open' && row.held_by === null;
    if (isForgotten || isOver) return { kind: 'free', owner: row.reservation_id };
    if (row.fingerprint !== call.fingerprint) return idempotencyMismatch();
    if (row.state === 'open') return inFlight();
    return row.state === 'kept' ? { kind: 'kept', reservationId: row.reservation_id } : notKept();
  }
}

function nameOf({ keyId, idempotencyKey }: NamedCall): string {
  return `${keyId} ${idempotencyKey}`;
}

interface Row {
  readonly fingerprint: string | null;
  readonly reservation_id: string | null;
  readonly state: string | null;
  readonly created_at: bigint | null;
  /** The reservation, where it is still there. */
  readonly held_by: string | null;
}

function notKept(): Denial {
  return new Denial('idempotency_answer_not_kept', {
    message: `The call with this Idempotency-Key was answered and charged, and its answer cannot be given again: up to ${KEPT_ANSWER_BYTES_MAX} bytes are kept, and fewer answers while the database is away or has many to write. A new key makes a new call.`,
  });
}
