/**
 * Serves a parsed call: decides on an attempt, makes it, and makes another where the first failed before the client had a
 * byte, as long as the route and its targets allow. Every attempt is reserved, resolved and recorded by itself.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { ERRORS } from '@keyfold/protocol';
import { Denial } from '../kernel/denial.ts';
import { Fault } from '../kernel/fault.ts';
import { STALE } from '../ledger/ledger.ts';
import type { ServedCall } from '../idempotency/served-call.ts';
import type { Admission } from '../limits/limiter.ts';
import { targetId } from '../routing/target.ts';
import type { Door, Proved } from '../signing/door.ts';
import { Attempt } from './attempting/attempt.ts';
import type { AttemptRooms } from './attempting/attempted.ts';
import type { ClientExchange } from './client-exchange.ts';
import type { Progress } from './deciding/asking.ts';
import { type Decision, type DecisionRooms, decideAttempt } from './deciding/decide.ts';
import { noteHealth } from './attempting/note-health.ts';
import type { AttemptFailure, FailureReason, Outcome } from './attempting/outcome.ts';
import type { ParsedCall } from './reading/parsed-call.ts';
import { callHeaders } from './answering/response-headers.ts';

export interface ServeRooms extends DecisionRooms, AttemptRooms {
  readonly door: Door;
}

/** How often a decision is taken anew because keys or budgets changed under it. */
const DECISIONS_MAX = 10;
/** The first pause before the same target is asked again; twice as long each time. */
const PAUSE_MS = 100;
/** A target that wants to be left alone for longer than this is not waited for. */
const PAUSE_MS_MAX = 2_000;

/** What a secret may be met with that the provider does not know yet. */
const REFUSALS: ReadonlySet<FailureReason> = new Set<FailureReason>(['credential', 'permission']);

export const DOOR_RULES = { acceptsVersion1: true };

/** Why the client gets no answer of a provider. */
export interface Refused {
  readonly denial: Denial;
  /** What the request claims was used up by an attempt before. */
  readonly hasAttempts: boolean;
}

export interface CallBy {
  readonly visitor: Proved;
  readonly exchange: ClientExchange;
  /** Where the answer is to be kept for a repeat. */
  readonly served?: ServedCall | undefined;
}

/** Where a policy refused the call or its next attempt; else the client has its answer when this resolves. */
export async function serveCall(
  rooms: ServeRooms,
  call: ParsedCall,
  by: CallBy,
): Promise<Refused | undefined> {
  const serving = new Serving(rooms, call, by);
  return serving.run(by.visitor);
}

type Failed = Extract<Outcome, { readonly kind: 'failed' }>;

class Serving {
  readonly #rooms: ServeRooms;
  readonly #call: ParsedCall;
  readonly #exchange: ClientExchange;
  readonly #served: ServedCall | undefined;
  readonly #tried = new Set<string>();
  #attempts = 0;
  /** Attempts with the secret from before a rotation: they count against no limit of attempts. */
  #secondSecrets = 0;
  /** Whose new secret was refused, so that the one before is tried next: a target's id. */
  #secondSecretOf: string | undefined;
  #admission: Admission | undefined;
  /** Of all attempts together; `undefined` once those of one are not known. */
  #tokens: number | undefined = 0;
  #running: Attempt | undefined;
  #isClientGone = false;

  constructor(rooms: ServeRooms, call: ParsedCall, { exchange, served }: CallBy) {
    this.#rooms = rooms;
    this.#call = call;
    this.#exchange = exchange;
    this.#served = served;
  }

  async run(visitor: Proved): Promise<Refused | undefined> {
    const first = await this.#decide(visitor, visitor.claim);
    if (first instanceof Denial) return { denial: first, hasAttempts: false };
    this.#exchange.onGone(() => {
      this.#isClientGone = true;
      this.#running?.leave();
    });
    try {
      const denial = await this.#serve(visitor, first);
      return denial === undefined ? undefined : { denial, hasAttempts: true };
    } finally {
      // One call to the key, however many attempts it took and whatever broke between them.
      first.admission.finish(this.#tokens);
    }
  }

  async #serve(visitor: Proved, first: Decision): Promise<Denial | undefined> {
    let decision = first;
    for (;;) {
      const outcome = await this.#attempt(decision);
      if (outcome.kind !== 'failed') return undefined;
      const next = await this.#decideNext(visitor, decision, outcome);
      if (next instanceof Denial && !isOfRequest(next)) return next;
      if (next === undefined || next instanceof Denial) {
        if (!this.#isClientGone) this.#exchange.refuse(outcome.refusal, callHeaders(decision, undefined));
        return undefined;
      }
      decision = next;
    }
  }

  async #attempt(decision: Decision): Promise<Outcome> {
    const { target } = decision;
    const usesPreviousSecret = this.#secondSecretOf === targetId(target);
    const mayFallBack = decision.hasOther && this.#hasAttemptsLeft(decision);
    const outcome = await new Promise<Outcome>((resolve) => {
      this.#running = new Attempt(
        this.#rooms,
        {
          call: this.#call,
          decision,
          exchange: this.#exchange,
          served: this.#served,
          mayFallBack,
          usesPreviousSecret,
        },
        resolve,
      );
      if (this.#isClientGone) this.#running.leave();
      else this.#running.start();
    });
    const { tokens } = outcome;
    this.#tokens = this.#tokens === undefined || tokens === undefined ? undefined : this.#tokens + tokens;
    const isSecondNext = !usesPreviousSecret && this.#hasPreviousSecret(decision, outcome);
    this.#secondSecretOf = isSecondNext ? targetId(target) : undefined;
    // A secret that was just rotated in and is refused says nothing until the one before is, too.
    if (isSecondNext) this.#rooms.targets.gaveUp(target);
    else noteHealth(this.#rooms.targets.health, target, outcome);
    return outcome;
  }

  /** The next attempt; `undefined` when there is none to make. */
  async #decideNext(
    visitor: Proved,
    decision: Decision,
    { failure }: Failed,
  ): Promise<Decision | Denial | undefined> {
    if (this.#secondSecretOf !== undefined) {
      this.#secondSecrets++;
      return this.#isClientGone ? undefined : this.#decide(visitor, []);
    }
    if (failure.retry === 'never' || !this.#hasAttemptsLeft(decision)) return undefined;
    if (this.#mayRepeat(decision, failure)) await this.#pause(failure);
    else if (decision.hasOther) this.#tried.add(targetId(decision.target));
    else return undefined;
    return this.#isClientGone ? undefined : this.#decide(visitor, []);
  }

  #hasAttemptsLeft({ selection }: Decision): boolean {
    return this.#attempts - this.#secondSecrets < selection.retry.attemptsMax;
  }

  /** Only a route asks the same target again, and only where the failure cost nothing. */
  #mayRepeat(decision: Decision, { retry, isCharged, retryAfterMs = 0, reason }: AttemptFailure): boolean {
    const { route } = decision.selection;
    const isWorthIt = retry === 'anywhere' || reason === 'rate_limit';
    const isSoon = retryAfterMs <= PAUSE_MS_MAX;
    return route !== undefined && !decision.hasOther && !isCharged && isWorthIt && isSoon;
  }

  #pause({ retryAfterMs }: AttemptFailure): Promise<void> {
    const pauseMs = Math.min(PAUSE_MS * 2 ** (this.#attempts - 1), PAUSE_MS_MAX);
    return wait(Math.max(pauseMs, retryAfterMs ?? 0));
  }

  #hasPreviousSecret({ target }: Decision, outcome: Outcome): boolean {
    const previous = target.credential?.previous;
    return (
      outcome.kind === 'failed' &&
      REFUSALS.has(outcome.failure.reason) &&
      previous !== undefined &&
      previous.untilMs > this.#rooms.clock.nowMs()
    );
  }

  #progress(): Progress {
    return {
      attempt: this.#attempts + 1,
      tried: this.#tried,
      only: this.#secondSecretOf,
      admission: this.#admission,
    };
  }

  async #decide(visitor: Proved, claims: Proved['claim']): Promise<Decision | Denial> {
    const { requestId, address } = this.#exchange;
    const { door } = this.#rooms;
    let current = visitor;
    for (let round = 0; round < DECISIONS_MAX; round++) {
      const decision = await decideAttempt(this.#rooms, this.#call, {
        principal: current.principal,
        requestId,
        address,
        claims,
        condition: this.#served,
        progress: this.#progress(),
      });
      if (decision instanceof Denial) return decision;
      if (decision !== STALE) {
        this.#attempts++;
        this.#admission = decision.admission;
        this.#served?.took(decision.reservation.id);
        return decision;
      }
      door.forget();
      const again = await door.again(current, DOOR_RULES);
      if (again instanceof Denial) return again;
      current = again;
    }
    throw new Fault('unavailable', { internal: 'the key kept changing while the call was decided' });
  }
}

/** What refuses the call at one target because of what it asks for. That is no answer to why another could not serve it. */
function isOfRequest({ code }: Denial): boolean {
  const { status } = ERRORS[code];
  return status === 400 || status === 404;
}
