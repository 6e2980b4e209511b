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
  readonly cap: Nanos;
  readonly createdAtMs: number;
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
