/** What the ledger knows of a call: from its reservation, through exactly one resolution, to its row in `calls`. */
import type { Id, Nanos } from '@keyfold/protocol';
import type { Denial } from '../kernel/denial.ts';
import type { Usage } from '../pricing/model-price.ts';
import type { ClaimStep, SqlStep } from '../storage/statement.ts';
import type { Budget } from './budget.ts';
import type { Hold } from './hold.ts';
import type { CreditAccount } from './credit/account.ts';

/** The facts of a call that are fixed when it is reserved; also what recovery has, should the process die. */
export interface CallFacts {
  readonly organizationId: Id<'organization'>;
  readonly projectId: Id<'project'>;
  readonly keyId: Id<'key'>;
  readonly keyVersion: number;
  readonly requestId: string;
  readonly endpoint: string;
  readonly provider: string;
  readonly model: string;
  readonly credentialId: string | undefined;
  readonly streamed: boolean;
  /** From 1; every attempt of a call is reserved and resolved by itself. */
  readonly attempt: number;
  /** Of a child key: whose budgets it is under, too. */
  readonly parentId?: string | undefined;
  /** The route that was asked for, where it was one. */
  readonly route: string | undefined;
}

export interface Reservation {
  readonly id: Id<'reservation'>;
  readonly call: CallFacts;
  readonly held: Nanos;
  /** The most that the call can cost, and what it is charged where nobody knows better. No less than is held. */
  readonly estimate: Nanos;
  readonly holds: readonly Hold[];
  readonly reservedAtMs: number;
}

export interface ReserveRequest {
  readonly call: CallFacts;
  /** Where the call came from; told by its first audit record. */
  readonly address?: string | undefined;
  readonly budgets: readonly Budget[];
  /** Where the organization pays in advance. */
  readonly credit: CreditAccount | undefined;
  /** To be held. */
  readonly amount: Nanos;
  /** The most that the call can cost. */
  readonly estimate: Nanos;
  /** What the call uses up with its reservation, such as the nonce of a signed request. */
  readonly claims: readonly ClaimStep[];
  /** What the decision to allow the call was based on. */
  readonly organizationRevision: number;
  /** What else must hold, where there is something. */
  readonly condition?: ReserveCondition | undefined;
}

/** A guarded step in the commit of a reservation, and what the call is refused with where it does not hold. */
export interface ReserveCondition {
  stepFor(reservationId: Id<'reservation'>): SqlStep;
  readonly refusal: Denial;
}

/** How a call ended, and so what of its reservation becomes spend. */
export interface Resolution {
  readonly kind: 'settlement' | 'release' | 'expiry';
  readonly cost: Nanos;
  readonly usage: Usage;
  /** HTTP status that the client got; 0 when the process died before it was known. */
  readonly status: number;
  readonly error: string | undefined;
  /** What was odd about the usage: `overrun`, `usage_missing`, `usage_negative`, … */
  readonly flags: readonly string[];
  /** What is written in the same commit, where there is something. */
  readonly kept?: KeptSteps | undefined;
}

/** `brief` is written in place of `whole` where too much is on its way to storage, or waits for it. */
export interface KeptSteps {
  readonly whole: SqlStep;
  readonly brief: SqlStep;
  /** What `whole` carries beyond what `brief` does. */
  readonly bytes: number;
}
