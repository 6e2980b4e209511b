/** What the event loop and the SQLite worker say to each other. Statements cross once and are then called by number. */
import type { SqlValue } from '../statement.ts';
import type { UnitResult } from '../group-commit.ts';

/** Start-up facts for a worker. */
export interface WorkerSettings {
  readonly directory: string;
  readonly role: 'writer' | 'reader';
  /** Upper bound of the database file, in pages of 4096 bytes. */
  readonly pagesMax: number;
  /** Ids that this program may have to write are minted outside; this is the boot's. */
  readonly nowMs: number;
}

/** `[statement number, guarded 0|1, values]`, or the text of an audit record to append. */
export type WireStep = readonly [statement: number, guarded: 0 | 1, values: readonly SqlValue[]] | string;

export interface WireUnit {
  readonly steps: readonly WireStep[];
  readonly ifRefused: readonly WireStep[] | undefined;
}

export type Request =
  | {
      readonly kind: 'commit';
      readonly id: number;
      /** Statements that the worker has not seen, numbered from `firstStatement`. */
      readonly firstStatement: number;
      readonly statements: readonly string[];
      readonly nowMs: number;
      readonly units: readonly WireUnit[];
    }
  | { readonly kind: 'read'; readonly id: number; readonly sql: string; readonly values: readonly SqlValue[] }
  | { readonly kind: 'close'; readonly id: number };

export type Response =
  | { readonly id: number; readonly results: readonly UnitResult[] }
  | { readonly id: number; readonly rows: readonly unknown[] }
  | { readonly id: number; readonly error: string }
  | { readonly id: number; readonly closed: true };

/** The worker's first message: it is open, or why not. */
export type Opened =
  | { readonly opened: true }
  | { readonly opened: false; readonly error: string; readonly locked: boolean };
