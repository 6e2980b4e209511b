/**
 * Serves a parsed call: decides on an attempt, makes it, and makes another where the first failed before the client had a
 * byte, as long as the route and its targets allow. Every attempt is reserved, resolved and recorded by itself.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { Denial } from '../kernel/denial.ts';
import { Fault } from '../kernel/fault.ts';
import { STALE } from '../ledger/ledger.ts';
import type { Admission } from '../limits/limiter.ts';
import { targetId } from '../routing/target.ts';
import type { Door, Proved } from '../signing/door.ts';
import { Attempt } from './attempt.ts';
import type { AttemptRooms } from './attempted.ts';
import type { ClientExchange } from './client-exchange.ts';
import { type Decision, type DecisionRooms, type Progress, decideAttempt } from './decide.ts';
import { noteHealth } from './note-health.ts';
import type { AttemptFailure, Outcome } from './outcome.ts';
import type { ParsedCall } from './parse-call.ts';
import { callHeaders } from './response-headers.ts';

export interface ServeRooms extends DecisionRooms, AttemptRooms {
  readonly door: Door;
}

/** How often a decision is taken anew because keys or budgets changed under it. */
const DECISIONS_MAX = 10;
/** The first pause before the same target is asked again; twice as long each time. */
const PAUSE_MS = 100;
/** A target that wants to be left alone for longer than this is not waited for. */
const PAUSE_MS_MAX = 2_000;

export const DOOR_RULES = { acceptsVersion1: true };

/** A denial where nothing was sent; else the client has its answer when this resolves. */
export async function serveCall(
  rooms: ServeRooms,
  call: ParsedCall,
  by: { readonly visitor: Proved; readonly exchange: ClientExchange },
): Promise<Denial | undefined> {
  const serving = new Serving(rooms, call, by.exchange);
  return serving.run(by.visitor);
}

class Serving {
  readonly #rooms: ServeRooms;
  readonly #call: ParsedCall;
  readonly #exchange: ClientExchange;
  readonly #tried = new Set<string>();
  #attempts = 0;
  #admission: Admission | undefined;
  #running: Attempt | undefined;
  #isClientGone = false;

  constructor(rooms: ServeRooms, call: ParsedCall, exchange: ClientExchange) {
    this.#rooms = rooms;
    this.#call = call;
    this.#exchange = exchange;
  }

  async run(visitor: Proved): Promise<Denial | undefined> {
    let decision = await this.#decide(visitor, visitor.claim);
    if (decision instanceof Denial) return decision;
    this.#exchange.onGone(() => {
      this.#isClientGone = true;
      this.#running?.leave();
    });
    let usesPreviousSecret = false;
    for (;;) {
      const outcome = await this.#attempt(decision, usesPreviousSecret);
      if (outcome.kind !== 'failed') break;
      const { failure } = outcome;
      // The secret that was rotated in is refused: the one before it may still be good.
      usesPreviousSecret = !usesPreviousSecret && this.#hasPreviousSecret(decision, failure);
      const next = await this.#decideNext(visitor, { decision, failure, usesPreviousSecret });
      if (next === undefined || next instanceof Denial) {
        if (!this.#isClientGone) {
          this.#exchange.refuse(next ?? outcome.refusal, callHeaders(decision, undefined));
        }
        break;
      }
      decision = next;
    }
    return undefined;
  }

  async #attempt(decision: Decision, usesPreviousSecret: boolean): Promise<Outcome> {
    const { credential } = decision.target;
    const mayFallBack = decision.othersLeft > 0 && this.#attempts < decision.selection.retry.attemptsMax;
    if (credential !== undefined) this.#rooms.targets.health.began(targetId(decision.target));
    const outcome = await new Promise<Outcome>((resolve) => {
      this.#running = new Attempt(
        this.#rooms,
        { call: this.#call, decision, exchange: this.#exchange, mayFallBack, usesPreviousSecret },
        resolve,
      );
      if (this.#isClientGone) this.#running.leave();
      else this.#running.start();
    });
    noteHealth(this.#rooms.targets.health, decision.target, outcome);
    if (outcome.kind !== 'failed') decision.admission.finish(outcome.tokens);
    return outcome;
  }

  /** The next attempt; `undefined` when there is none to make. */
  async #decideNext(
    visitor: Proved,
    of: {
      readonly decision: Decision;
      readonly failure: AttemptFailure;
      readonly usesPreviousSecret: boolean;
    },
  ): Promise<Decision | Denial | undefined> {
    const { decision, failure } = of;
    const isSame = of.usesPreviousSecret || this.#mayRepeat(decision, failure);
    if (!isSame) this.#tried.add(targetId(decision.target));
    const mayGoOn =
      failure.retry !== 'never' &&
      this.#attempts < decision.selection.retry.attemptsMax &&
      (isSame || decision.othersLeft > 0);
    if (mayGoOn && isSame && !of.usesPreviousSecret) await this.#pause(failure);
    if (!mayGoOn || this.#isClientGone) {
      decision.admission.finish(undefined);
      return undefined;
    }
    const next = await this.#decide(visitor, []);
    if (next instanceof Denial) decision.admission.finish(undefined);
    return next;
  }

  /** Only a route asks the same target again, and only where the failure cost nothing. */
  #mayRepeat(decision: Decision, { retry, isCharged, retryAfterMs = 0, reason }: AttemptFailure): boolean {
    const { route } = decision.selection;
    const isWorthIt = retry === 'anywhere' || (reason === 'rate_limit' && retryAfterMs <= PAUSE_MS_MAX);
    return route !== undefined && decision.othersLeft === 0 && !isCharged && isWorthIt;
  }

  #pause({ retryAfterMs }: AttemptFailure): Promise<void> {
    const pauseMs = Math.min(PAUSE_MS * 2 ** (this.#attempts - 1), PAUSE_MS_MAX);
    return wait(Math.max(pauseMs, retryAfterMs ?? 0));
  }

  #hasPreviousSecret({ target }: Decision, { reason }: AttemptFailure): boolean {
    const previous = target.credential?.previous;
    return reason === 'credential' && previous !== undefined && previous.untilMs > this.#rooms.clock.nowMs();
  }

  #progress(): Progress {
    return { attempt: this.#attempts + 1, tried: this.#tried, admission: this.#admission };
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
        progress: this.#progress(),
      });
      if (decision instanceof Denial) return decision;
      if (decision !== STALE) {
        this.#attempts++;
        this.#admission = decision.admission;
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
