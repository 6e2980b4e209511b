/** `Database` on PostgreSQL: one writing session with group commit a process, a small pool for reads. */
import type { Compilable, Kysely } from 'kysely';
import pg from 'pg';
import { Fault, describeError } from '../../kernel/fault.ts';
import type { Database, Outcome, UnitOfWork, Urgency } from '../database.ts';
import { GroupCommit, type UnitResult } from '../group-commit.ts';
import { renderMigrations } from '../migrations/migration.ts';
import { FACTS_TABLE, SCHEMA_VERSION_QUERY, pendingStatements } from '../migrations/pending.ts';
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
import { readIntegersAsBigint } from './read-integers.ts';
import { PostgresSession } from './session.ts';

export interface PostgresOptions {
  /** `postgres://…`. */
  readonly url: string;
  readonly boot: string;
  readonly nowMs: () => number;
}

const READ_CONNECTIONS_MAX = 8;
const STATEMENT_TIMEOUT_MS = 10_000;

export class PostgresDatabase implements Database {
  readonly dialect = 'postgres';
  readonly boot: string;
  readonly prepare: Prepare;
  readonly #builder: Kysely<Schema>;
  readonly #options: PostgresOptions;
  readonly #reads: pg.Pool;
  readonly #commits = new GroupCommit((units) => this.#runBatch(units));
  #session: PostgresSession | undefined;
  #node: number;

  private constructor(session: PostgresSession, options: PostgresOptions) {
    this.#options = options;
    this.#node = session.node;
    this.boot = options.boot;
    this.#builder = createQueryBuilder('postgres');
    this.prepare = createPrepare(this.#builder);
    this.#reads = new pg.Pool({
      connectionString: options.url,
      application_name: 'keyfold',
      types: readIntegersAsBigint,
      max: READ_CONNECTIONS_MAX,
      statement_timeout: STATEMENT_TIMEOUT_MS,
      connectionTimeoutMillis: 5_000,
    });
    this.#reads.on('error', () => undefined);
    this.#adopt(session);
  }

  static async open(options: PostgresOptions): Promise<PostgresDatabase> {
    return new PostgresDatabase(await PostgresSession.open(options.url, migrate), options);
  }

  get node(): number {
    return this.#node;
  }

  step(build: Build, guard?: Guard): SqlStep {
    return compileStep(this.#builder, build, guard);
  }

  async read<Row>(build: (db: Kysely<Schema>) => Compilable<Row>): Promise<Row[]> {
    const { sql, parameters } = build(this.#builder).compile();
    try {
      const result = await this.#reads.query(sql, [...parameters]);
      return result.rows as Row[];
    } catch (error) {
      throw new Fault('unavailable', { internal: `read failed: ${describeError(error)}`, cause: error });
    }
  }

  commit(unit: UnitOfWork, urgency?: Urgency): Promise<Outcome> {
    return this.#commits.submit(unit, urgency);
  }

  barrier(): Promise<void> {
    return this.#commits.barrier();
  }

  async claimDeadNode(node: number): Promise<boolean> {
    // What this process's own node number left behind belongs to an earlier boot, which is dead: the lock is ours.
    if (node === this.#node) return true;
    return (await this.#openSession()).claim(node);
  }

  async releaseDeadNode(node: number): Promise<void> {
    if (node !== this.#node) await (await this.#openSession()).unclaim(node);
  }

  async probe(): Promise<void> {
    await this.commit({ steps: [PROBE] });
  }

  async close(): Promise<void> {
    await this.#commits.close();
    await this.#reads.end();
    await this.#session?.close();
  }

  async #runBatch(units: readonly UnitOfWork[]): Promise<readonly UnitResult[]> {
    const session = await this.#openSession();
    return session.run(units, this.#options.nowMs());
  }

  /** A lost session is replaced at the next use; it may come back as another node, whose chain it then continues. */
  async #openSession(): Promise<PostgresSession> {
    if (this.#session === undefined) this.#adopt(await PostgresSession.open(this.#options.url, migrate));
    return this.#session as PostgresSession;
  }

  #adopt(session: PostgresSession): void {
    this.#session = session;
    this.#node = session.node;
    session.onEnd(() => {
      if (this.#session === session) this.#session = undefined;
    });
  }
}

/** A write that changes nothing but needs the whole way to the disk. */
const PROBE: SqlStep = { sql: "update facts set value = value where name = 'schema'", values: [] };

async function migrate(client: pg.Client): Promise<void> {
  await client.query(FACTS_TABLE);
  const { rows } = await client.query<{ value: string }>(SCHEMA_VERSION_QUERY);
  const pending = pendingStatements(renderMigrations('postgres'), Number(rows[0]?.value ?? 0));
  if (pending.length === 0) return;
  await client.query('begin');
  try {
    for (const sql of pending) await client.query(sql);
    await client.query('commit');
  } catch (error) {
    await client.query('rollback');
    throw error;
  }
}
