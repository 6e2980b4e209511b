/** Budgets: caps on money for a scope and a period. */
import type { Id, Nanos } from '@keyfold/protocol';
import type { Period } from './period.ts';

export const SCOPES = ['key', 'project', 'organization'] as const;
export type Scope = (typeof SCOPES)[number];

export interface Budget {
  readonly id: Id<'budget'>;
  readonly organizationId: Id<'organization'>;
  readonly scope: Scope;
  readonly scopeId: string;
  readonly period: Period;
  /** Where its days and months begin and end: an IANA name. */
  readonly timeZone: string;
  /** Of a rolling budget: the length of its window, in seconds. */
  readonly windowS?: number | undefined;
  readonly cap: Nanos;
  /** Another cap for a while. */
  readonly raise: Raise | undefined;
  /** Shares of the cap, in percent, at which its owners are told: ascending, each once in a period. */
  readonly alertPercents: readonly number[];
  readonly createdAtMs: number;
}

export interface Raise {
  readonly cap: Nanos;
  readonly untilMs: number;
}

/** A scope has one budget of a period, and of rolling ones one of a length. */
export type BudgetPeriod = Pick<Budget, 'period' | 'windowS'>;

export function isSamePeriod(one: BudgetPeriod, other: BudgetPeriod): boolean {
  return one.period === other.period && one.windowS === other.windowS;
}

/** What may be spent as of a time. A raise never lowers a cap that was set above it meanwhile. */
export function capAt({ cap, raise }: Budget, atMs: number): Nanos {
  return raise !== undefined && raise.untilMs > atMs && raise.cap > cap ? raise.cap : cap;
}

/** A budget with what its current period has seen. */
export interface BudgetState {
  readonly budget: Budget;
  readonly posted: Nanos;
  readonly held: Nanos;
  /** What could still be reserved; below zero when the cap was lowered or a call overran. */
  readonly remaining: Nanos;
  readonly resetsAtMs: number | undefined;
}
