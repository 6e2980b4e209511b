/** `Database` on embedded SQLite: one process, a writing worker with group commit and a reading worker. */
import type { Compilable, Kysely } from 'kysely';
import { Fault, describeError } from '../../kernel/fault.ts';
import type { Database, Outcome, ReadLane, UnitOfWork, Urgency } from '../database.ts';
import { EMPTY_CHAIN } from '../audit-chain.ts';
import { ChainMemory } from '../chain-memory.ts';
import { GroupCommit, type UnitResult } from '../group-commit.ts';
import { renderMigrations } from '../migrations/migration.ts';
import { createQueryBuilder } from '../query-builder.ts';
import type { Schema } from '../schema.ts';
import {
  type Build,
  type Guard,
  type Prepare,
  type SqlStep,
  type SqlValue,
  compileStep,
  createPrepare,
} from '../statement.ts';
import { BatchEncoder } from './batch-encoder.ts';
import type { WireBatch, WireResult, WorkerSettings } from './messages.ts';
import { WorkerPort } from './worker-port.ts';

export interface SqliteOptions {
  /** Holds the database, its WAL and the process lock; created with mode 0700. */
  readonly directory: string;
  readonly boot: string;
  readonly nowMs: () => number;
  /** Upper bound of the database file in pages of 4096 bytes; SQLite's own limit when absent. */
  readonly pagesMax?: number;
}

const SQLITE_PAGES_MAX = 4_294_967_294;
/** Statements that one process may send to the worker; they are compiled in code, so more is a bug that leaks. */
const STATEMENTS_MAX = 5_000;

export class SqliteDatabase implements Database {
  readonly dialect = 'sqlite';
  readonly node = 1;
  readonly boot: string;
  readonly chain: ChainMemory;
  readonly prepare: Prepare;
  readonly #builder: Kysely<Schema>;
  readonly #nowMs: () => number;
  readonly #writer: WorkerPort;
  readonly #lookups: WorkerPort;
  readonly #settings: Omit<WorkerSettings, 'role'>;
  #reports: Promise<WorkerPort> | undefined;
  readonly #commits = new GroupCommit((units) => this.#runBatch(units));
  readonly #statementNumbers = new Map<string, number>();
  #unsentStatements: string[] = [];

  private constructor(
    ports: { writer: WorkerPort; lookups: WorkerPort; settings: Omit<WorkerSettings, 'role'> },
    options: SqliteOptions,
  ) {
    this.#writer = ports.writer;
    this.#lookups = ports.lookups;
    this.#settings = ports.settings;
    this.#nowMs = options.nowMs;
    this.boot = options.boot;
    this.chain = new ChainMemory({ node: this.node, ...(ports.writer.chain ?? EMPTY_CHAIN) });
    this.#builder = createQueryBuilder('sqlite');
    this.prepare = createPrepare(this.#builder);
  }

  /** Opens or creates the database. Throws `DirectoryLockedError` when another process has it. */
  static async open(options: SqliteOptions): Promise<SqliteDatabase> {
    const settings = {
      directory: options.directory,
      pagesMax: options.pagesMax ?? SQLITE_PAGES_MAX,
      migrations: renderMigrations('sqlite'),
    };
    const writer = await WorkerPort.open({ ...settings, role: 'writer' });
    const lookups = await WorkerPort.open({ ...settings, role: 'reader' });
    return new SqliteDatabase({ writer, lookups, settings }, options);
  }

  step(build: Build, guard?: Guard): SqlStep {
    return compileStep(this.#builder, build, guard);
  }

  async read<Row>(build: (db: Kysely<Schema>) => Compilable<Row>, lane: ReadLane = 'lookup'): Promise<Row[]> {
    const { sql, parameters } = build(this.#builder).compile();
    try {
      const reader = lane === 'lookup' ? this.#lookups : await this.#openReports();
      const response = await reader.call({ kind: 'read', sql, values: parameters as SqlValue[] });
      return 'rows' in response ? (response.rows as Row[]) : [];
    } catch (error) {
      throw new Fault('unavailable', { internal: `read failed: ${describeError(error)}`, cause: error });
    }
  }

  /** Opened with the first report: a worker that nobody needs costs memory. */
  #openReports(): Promise<WorkerPort> {
    this.#reports ??= WorkerPort.open({ ...this.#settings, role: 'reader' });
    return this.#reports;
  }

  commit(unit: UnitOfWork, urgency?: Urgency): Promise<Outcome> {
    return this.#commits.submit(unit, urgency);
  }

  barrier(): Promise<void> {
    return this.#commits.barrier();
  }

  /** One process owns the files, so every other boot is dead. */
  livingBoots(): Promise<ReadonlySet<string>> {
    return Promise.resolve(new Set([this.boot]));
  }

  livingNodes(): Promise<ReadonlySet<number>> {
    return Promise.resolve(new Set([this.node]));
  }

  async probe(): Promise<void> {
    await this.commit({ steps: [PROBE] });
  }

  async close(): Promise<void> {
    await this.#commits.close();
    await this.#lookups.close();
    await (await this.#reports)?.close();
    await this.#writer.close();
  }

  async #runBatch(units: readonly UnitOfWork[]): Promise<readonly UnitResult[]> {
    const encoder = new BatchEncoder((sql) => this.#numberOf(sql));
    const wire = units.map((unit) => encoder.encodeUnit(unit));
    const statements = this.#unsentStatements;
    const firstStatement = this.#statementNumbers.size - statements.length;
    this.#unsentStatements = [];
    const batch: WireBatch = {
      firstStatement,
      statements,
      nowMs: this.#nowMs(),
      balances: encoder.balances,
      sums: encoder.sums,
      units: wire,
    };
    const response = await this.#writer.call({
      kind: 'commit',
      batch: JSON.stringify(batch),
      texts: encoder.texts.join('\n'),
    });
    if (!('results' in response)) return [];
    this.chain.advance(this.node, response.chain);
    const results = JSON.parse(response.results) as WireResult[];
    return results.map((result) => toUnitResult(result));
  }

  #numberOf(sql: string): number {
    const known = this.#statementNumbers.get(sql);
    if (known !== undefined) return known;
    if (this.#statementNumbers.size >= STATEMENTS_MAX) throw new Error('too many different statements');
    const number = this.#statementNumbers.size;
    this.#statementNumbers.set(sql, number);
    this.#unsentStatements.push(sql);
    return number;
  }
}

const COMMITTED: UnitResult = { committed: true };

function toUnitResult(result: WireResult): UnitResult {
  if (typeof result === 'string') return { error: result };
  return result === -1 ? COMMITTED : { committed: false, refusedStep: result };
}

/** A write that reaches the disk: SQLite leaves a row alone that is set to what it is. */
const PROBE: SqlStep = {
  sql: `insert into facts (name, value) values ('probe', hex(randomblob(8)))
    on conflict (name) do update set value = excluded.value`,
  values: [],
};
