/** What the event loop and the SQLite worker say to each other. Statements cross once and are then called by number. */
import type { ChainState } from '../audit-chain.ts';
import type { ChainReport } from '../chain-tip.ts';
import type { MigrationSql } from '../migrations/pending.ts';
import type { SqlValue } from '../statement.ts';

/** Start-up facts for a worker. */
export interface WorkerSettings {
  readonly directory: string;
  readonly role: 'writer' | 'reader';
  /** Upper bound of the database file, in pages of 4096 bytes. */
  readonly pagesMax: number;
  readonly migrations: MigrationSql;
}

/** An integer that a JSON number cannot hold exactly is written as its text in an array. */
export type WireValue = string | number | null | readonly [integer: string];

/**
 * A statement: `[statement number, guarded 0|1, ...values]`. A balance: `[-1, number in balances, posted, held, cap, since]`.
 * A claim: `[-2, value]`. A sum: `[-3, number in sums, ...amounts]`. A plain number: append the audit record of that number in
 * `texts`.
 */
export type WireStep =
  | readonly [statement: number, guarded: 0 | 1, ...values: WireValue[]]
  | readonly [
      balance: typeof BALANCE,
      name: number,
      posted: WireValue,
      held: WireValue,
      cap: WireValue,
      sinceMs: number | null,
    ]
  | readonly [claim: typeof CLAIM, value: string]
  | readonly [sum: typeof SUM, name: number, ...amounts: WireValue[]]
  | number;

export const BALANCE = -1;
export const CLAIM = -2;
export const SUM = -3;

export type WireUnit = readonly WireStep[];

/** A batch crosses as one JSON text: copying a text is cheaper than cloning the many small objects in it. */
export interface WireBatch {
  /** Statements that the worker has not seen, numbered from `firstStatement`. */
  readonly firstStatement: number;
  readonly statements: readonly string[];
  readonly nowMs: number;
  readonly balances: readonly (readonly [budgetId: string, periodStartMs: number])[];
  readonly sums: readonly (readonly [source: string, hour: number])[];
  readonly units: readonly WireUnit[];
}

/** -1: committed; 0 and up: the guarded step that did not hold; a text: what broke. */
export type WireResult = number | string;

export type Request =
  | {
      readonly kind: 'commit';
      readonly id: number;
      /** A `WireBatch`. */
      readonly batch: string;
      /** Audit records to append, one a line, beside the batch since they are JSON already and would be escaped in it. */
      readonly texts: string;
    }
  | { readonly kind: 'read'; readonly id: number; readonly sql: string; readonly values: readonly SqlValue[] }
  | { readonly kind: 'close'; readonly id: number };

export type Response =
  | { readonly id: number; readonly results: string; readonly chain: ChainReport }
  | { readonly id: number; readonly rows: readonly unknown[] }
  | { readonly id: number; readonly error: string }
  | { readonly id: number; readonly closed: true };

/** The worker's first message: it is open, or why not. */
export type Opened =
  | {
      readonly opened: true;
      /** What a writer goes on from. */
      readonly chain: ChainState | undefined;
    }
  | { readonly opened: false; readonly error: string; readonly locked: boolean };
