/** `Database` on PostgreSQL: one writing session with group commit a process, a small pool for reads. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Compilable, Kysely } from 'kysely';
import pg from 'pg';
import { Fault, describeError } from '../../kernel/fault.ts';
import type { Database, Outcome, ReadLane, UnitOfWork, Urgency } from '../database.ts';
import { ChainMemory } from '../chain-memory.ts';
import { GroupCommit, type UnitResult } from '../group-commit.ts';
import { createQueryBuilder } from '../query-builder.ts';
import type { Schema } from '../schema.ts';
import {
  type Build,
  type Guard,
  type Prepare,
  type SqlStep,
  compileStep,
  createPrepare,
} from '../statement.ts';
import { type SessionOptions, connectSession, connectionSettings } from './connect.ts';
import { LIVING_BOOTS, LIVING_NODES } from './locks.ts';
import { PostgresSession } from './session.ts';

export interface PostgresOptions {
  /** `postgres://…`. */
  readonly url: string;
  /** 12 hexadecimal digits. */
  readonly boot: string;
  readonly nowMs: () => number;
  readonly statementTimeoutMs?: number;
}

const CONNECTIONS_MAX: Readonly<Record<ReadLane, number>> = { lookup: 6, report: 2 };
const STATEMENT_TIMEOUT_MS = 10_000;
/** A lost session is opened again by itself for ten minutes, and from then on when it is used. */
const RECONNECT_ATTEMPTS_MAX = 2_400;
const RECONNECT_PAUSE_MS = 250;

export class PostgresDatabase implements Database {
  readonly dialect = 'postgres';
  readonly boot: string;
  readonly prepare: Prepare;
  readonly #builder: Kysely<Schema>;
  readonly #nowMs: () => number;
  readonly #options: SessionOptions;
  readonly #reads: Readonly<Record<ReadLane, pg.Pool>>;
  readonly #commits = new GroupCommit((units) => this.#runBatch(units));
  readonly #closing = new AbortController();
  #session: PostgresSession | undefined;
  #opening: Promise<PostgresSession> | undefined;
  #node: number | undefined;
  #chain: ChainMemory | undefined;

  private constructor(options: PostgresOptions) {
    this.#nowMs = options.nowMs;
    this.#options = { statementTimeoutMs: STATEMENT_TIMEOUT_MS, ...options };
    this.boot = options.boot;
    this.#builder = createQueryBuilder('postgres');
    this.prepare = createPrepare(this.#builder);
    this.#reads = { lookup: this.#createPool('lookup'), report: this.#createPool('report') };
  }

  static async open(options: PostgresOptions): Promise<PostgresDatabase> {
    const database = new PostgresDatabase(options);
    await database.#openSession();
    return database;
  }

  get node(): number {
    return this.#node as number;
  }

  get chain(): ChainMemory {
    return this.#chain as ChainMemory;
  }

  step(build: Build, guard?: Guard): SqlStep {
    return compileStep(this.#builder, build, guard);
  }

  async read<Row>(build: (db: Kysely<Schema>) => Compilable<Row>, lane: ReadLane = 'lookup'): Promise<Row[]> {
    const { sql, parameters } = build(this.#builder).compile();
    return this.#query<Row>(lane, { sql, values: [...parameters] });
  }

  commit(unit: UnitOfWork, urgency?: Urgency): Promise<Outcome> {
    return this.#commits.submit(unit, urgency);
  }

  barrier(): Promise<void> {
    return this.#commits.barrier();
  }

  async livingBoots(): Promise<ReadonlySet<string>> {
    const rows = await this.#query<{ boot: string }>('lookup', { sql: LIVING_BOOTS, values: [] });
    return new Set(rows.map(({ boot }) => boot));
  }

  async livingNodes(): Promise<ReadonlySet<number>> {
    const rows = await this.#query<{ node: bigint }>('lookup', { sql: LIVING_NODES, values: [] });
    return new Set(rows.map(({ node }) => Number(node)));
  }

  async probe(): Promise<void> {
    await this.commit({ steps: [PROBE] });
  }

  async close(): Promise<void> {
    await this.#commits.close();
    this.#closing.abort();
    await this.#opening?.catch(() => undefined);
    await Promise.all([this.#reads.lookup.end(), this.#reads.report.end(), this.#session?.close()]);
  }

  async #query<Row>(
    lane: ReadLane,
    of: { readonly sql: string; readonly values: unknown[] },
  ): Promise<Row[]> {
    try {
      const result = await this.#reads[lane].query(of.sql, of.values);
      return result.rows as Row[];
    } catch (error) {
      throw new Fault('unavailable', { internal: `read failed: ${describeError(error)}`, cause: error });
    }
  }

  #createPool(lane: ReadLane): pg.Pool {
    const pool = new pg.Pool({ ...connectionSettings(this.#options), max: CONNECTIONS_MAX[lane] });
    pool.on('error', () => undefined);
    return pool;
  }

  async #runBatch(units: readonly UnitOfWork[]): Promise<readonly UnitResult[]> {
    const session = await this.#openSession();
    const results = await session.run(units, this.#nowMs());
    // A session that was lost since then is followed by one that reads from the database what became of it.
    if (this.#session === session) this.chain.advance(session.node, session.chain.report());
    return results;
  }

  async #openSession(): Promise<PostgresSession> {
    if (this.#session !== undefined) return this.#session;
    this.#opening ??= this.#connect().finally(() => (this.#opening = undefined));
    return this.#opening;
  }

  /** The session may come back as another node, whose chain it then continues. */
  async #connect(): Promise<PostgresSession> {
    const connected = await connectSession(this.#options, this.#node);
    const session = new PostgresSession(connected, () => {
      if (this.#session === session) this.#session = undefined;
      void this.#reconnect();
    });
    this.#session = session;
    this.#node = session.node;
    const point = { node: session.node, ...connected.chain };
    if (this.#chain === undefined) this.#chain = new ChainMemory(point);
    else this.#chain.open(point);
    return session;
  }

  /** At once, and not at the next use: until then the other processes cannot tell this one from a dead one. */
  async #reconnect(): Promise<void> {
    for (let attempt = 0; attempt < RECONNECT_ATTEMPTS_MAX && !this.#closing.signal.aborted; attempt++) {
      try {
        await this.#openSession();
        return;
      } catch {
        await sleep(RECONNECT_PAUSE_MS, undefined, { signal: this.#closing.signal }).catch(() => undefined);
      }
    }
  }
}

/** A write that changes nothing but needs the whole way to the disk. */
const PROBE: SqlStep = { sql: "update facts set value = value where name = 'schema'", values: [] };
