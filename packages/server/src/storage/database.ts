/** The port to durable storage: typed reads, and units of work that share commits. Implemented on SQLite and PostgreSQL. */
import type { Compilable, Kysely } from 'kysely';
import type { ChainMemory } from './chain-memory.ts';
import type { Schema } from './schema.ts';
import type { Build, Guard, Prepare, SqlStep, Step } from './statement.ts';

/** Steps that take effect together or not at all: when a guarded step does not hold, all are undone. */
export interface UnitOfWork {
  readonly steps: readonly Step[];
}

/** The unit took effect, or the guarded step of that index did not hold. */
export type Outcome =
  | { readonly committed: true }
  | { readonly committed: false; readonly refusedStep: number };

/** `now` asks for a commit at once; `soon` waits a few milliseconds for an urgent unit whose commit it can share. */
export type Urgency = 'now' | 'soon';

export type ReadLane = 'lookup' | 'report';

/** Nodes that a database may have, numbered from 1: processes that share it. */
export const NODES_MAX = { sqlite: 1, postgres: 64 } as const;

export interface Database {
  readonly dialect: 'sqlite' | 'postgres';
  /** This process's place in a cluster; its audit chain carries this number. May change with the session. SQLite: always 1. */
  readonly node: number;
  /** Unique to this opening of the database: tells what this process began from what a dead one left. */
  readonly boot: string;
  /** This node's audit chain as its writer has it in memory. */
  readonly chain: ChainMemory;
  readonly prepare: Prepare;
  /** A step compiled with its values in place, for what is not on the call path. */
  step(build: Build, guard?: Guard): SqlStep;
  /**
   * Rows of a query, every integer as `bigint`. A `report` may take long and must not keep look-ups waiting, which calls
   * depend on. Throws `Fault('unavailable')`, also when too many reads wait.
   */
  read<Row>(build: (db: Kysely<Schema>) => Compilable<Row>, lane?: ReadLane): Promise<Row[]>;
  /** Resolves once the unit is on disk, or was refused. Throws `Fault('unavailable')`: then nothing is known to be durable. */
  commit(unit: UnitOfWork, urgency?: Urgency): Promise<Outcome>;
  /** Resolves when everything submitted so far is durable or has failed: reads after it see those writes. */
  barrier(): Promise<void>;
  /**
   * The boots that have this database open, this one among them. A process that has lost its connection is missing until it
   * is back, so one look does not tell that it is dead.
   */
  livingBoots(): Promise<ReadonlySet<string>>;
  /** The nodes whose numbers are taken now. A process that has lost its connection is missing until it is back. */
  livingNodes(): Promise<ReadonlySet<number>>;
  /** Throws `Fault('unavailable')` unless a commit goes through now. */
  probe(): Promise<void>;
  close(): Promise<void>;
}
