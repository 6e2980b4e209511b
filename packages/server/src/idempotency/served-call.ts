/** A call under an Idempotency-Key that this process serves: what goes with its reservations, and with the answer in the end. */
import type { Clock } from '../kernel/clock.ts';
import { Denial } from '../kernel/denial.ts';
import type { KeptSteps, ReserveCondition } from '../ledger/reservation.ts';
import type { Sealer } from '../sealing/sealer.ts';
import type { SqlStep } from '../storage/statement.ts';
import type { AnswerOwner, AnswerRoom } from './answer-room.ts';
import type { CallStatements } from './call-statements.ts';
import { type KeptAnswer, KEPT_ANSWER_BYTES_MAX, encodeAnswer } from './kept-answer.ts';

/** One intention of a client: its key, the Idempotency-Key, and what is asked under it. */
export interface NamedCall extends AnswerOwner {
  /** Not as it was sent: an HMAC of it. */
  readonly idempotencyKey: string;
  /** By `fingerprintCall`. */
  readonly fingerprint: string;
}

/** When a client may ask again for what is still under way. */
const RETRY_AFTER_MS = 1_000;

export interface ServedCallParts {
  readonly clock: Clock;
  readonly sealer: Sealer;
  readonly room: AnswerRoom;
  readonly sql: CallStatements;
}

export class ServedCall implements ReserveCondition {
  readonly refusal = inFlight();
  readonly #parts: ServedCallParts;
  readonly #call: NamedCall;
  readonly #onEnd: () => void;
  #owner: string;

  /** `owner` is the reservation that the row belongs to so far. */
  constructor(parts: ServedCallParts, call: NamedCall, of: { owner: string; onEnd: () => void }) {
    this.#parts = parts;
    this.#call = call;
    this.#owner = of.owner;
    this.#onEnd = of.onEnd;
  }

  /** With the reservation of each attempt the row becomes that attempt's; refused when somebody else has it by now. */
  stepFor(reservationId: string): SqlStep {
    const { clock, sql } = this.#parts;
    return sql.take({
      ...this.#name(reservationId),
      organization_id: this.#call.organizationId,
      fingerprint: this.#call.fingerprint,
      created_at: clock.nowMs(),
      owner: this.#owner,
    });
  }

  /** The attempt is reserved: the row is its own. */
  took(reservationId: string): void {
    this.#owner = reservationId;
  }

  /** What is written with the resolution of the attempt that was answered. `undefined`: the answer is too long to be kept. */
  keep(answer: KeptAnswer | undefined): KeptSteps {
    const { sealer, room, sql } = this.#parts;
    const name = this.#name(this.#owner);
    const brief = sql.keep({ ...name, state: 'lost', answer: null, bytes: 0 });
    if (answer === undefined || answer.body.length > KEPT_ANSWER_BYTES_MAX)
      return { whole: brief, brief, bytes: 0 };
    const sealed = sealer.seal(encodeAnswer(answer), sealContext(this.#call));
    room.take(this.#call, sealed.length);
    const whole = sql.keep({ ...name, state: 'kept', answer: sealed, bytes: sealed.length });
    return { whole, brief, bytes: sealed.length };
  }

  /** Whatever became of it; once. */
  end(): void {
    this.#onEnd();
  }

  #name(reservationId: string) {
    const { keyId, idempotencyKey } = this.#call;
    return { key_id: keyId, idempotency_key: idempotencyKey, reservation_id: reservationId };
  }
}

/** What an answer is bound to: one that was copied into another row, or whose row was edited, does not open. */
export function sealContext({ keyId, idempotencyKey, fingerprint }: NamedCall): readonly string[] {
  return ['idempotent-call', keyId, idempotencyKey, fingerprint];
}

export function inFlight(): Denial {
  return new Denial('idempotency_in_flight', {
    message: 'The first request with this Idempotency-Key is still being answered.',
    retryAfterMs: RETRY_AFTER_MS,
  });
}
