/** Executes batches of units of work on the one writing SQLite connection. Runs inside the worker. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type ChainState, EMPTY_CHAIN, chainRecord } from '../audit-chain.ts';
import type { UnitResult } from '../group-commit.ts';
import type { SqlValue } from '../statement.ts';
import type { WireStep, WireUnit } from './messages.ts';

const NODE = 1;
/** What running steps yields when every guard held. */
const ALL_HELD = -1;

interface Prepared {
  readonly statement: StatementSync;
  readonly returnsRows: boolean;
}

export class SqliteWriter {
  readonly #db: DatabaseSync;
  readonly #sql: string[] = [];
  readonly #statements: (Prepared | undefined)[] = [];
  readonly #append: StatementSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #savepoint: StatementSync;
  readonly #release: StatementSync;
  #chain: ChainState;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#begin = db.prepare('begin immediate');
    this.#commit = db.prepare('commit');
    this.#savepoint = db.prepare('savepoint unit');
    this.#release = db.prepare('release unit');
    this.#append = db.prepare(
      'insert into audit_records (node, sequence, at, record, head) values (?, ?, ?, ?, ?)',
    );
    this.#chain = readChain(db);
  }

  learn(firstStatement: number, statements: readonly string[]): void {
    for (const [index, sql] of statements.entries()) this.#sql[firstStatement + index] = sql;
  }

  /** One commit. Throws when the commit itself fails: then nothing of the batch is durable. */
  run(units: readonly WireUnit[], nowMs: number): UnitResult[] {
    const chainBefore = this.#chain;
    try {
      this.#begin.run();
      const results = units.map((unit) => this.#runUnit(unit, nowMs));
      this.#commit.run();
      return results;
    } catch (error) {
      this.#chain = chainBefore;
      if (this.#db.isTransaction) this.#db.exec('rollback');
      throw error;
    }
  }

  #runUnit(unit: WireUnit, nowMs: number): UnitResult {
    const chainBefore = this.#chain;
    this.#savepoint.run();
    try {
      const refusedStep = this.#runSteps(unit.steps, nowMs);
      if (refusedStep === ALL_HELD) {
        this.#release.run();
        return { committed: true };
      }
      this.#undo(chainBefore);
      if (unit.ifRefused !== undefined) this.#runSteps(unit.ifRefused, nowMs);
      this.#release.run();
      return { committed: false, refusedStep };
    } catch (error) {
      // A full disk ends the whole transaction by itself; then the batch fails, not the unit.
      if (!this.#db.isTransaction) throw error;
      this.#undo(chainBefore);
      this.#release.run();
      return { error: error instanceof Error ? error.message : String(error) };
    }
  }

  #undo(chainBefore: ChainState): void {
    this.#db.exec('rollback to unit');
    this.#chain = chainBefore;
  }

  /** Index of the guarded step that did not hold, or `ALL_HELD`. */
  #runSteps(steps: readonly WireStep[], nowMs: number): number {
    for (let index = 0; index < steps.length; index++) {
      const step = steps[index];
      if (step === undefined) continue;
      if (typeof step === 'string') {
        this.#appendRecord(step, nowMs);
        continue;
      }
      const [number, guarded, values] = step;
      if (!this.#runStatement(number, values) && guarded === 1) return index;
    }
    return ALL_HELD;
  }

  /** True when the statement changed or found a row. */
  #runStatement(number: number, values: readonly SqlValue[]): boolean {
    const { statement, returnsRows } = (this.#statements[number] ??= this.#prepare(number));
    if (returnsRows) return statement.get(...values) !== undefined;
    return statement.run(...values).changes > 0;
  }

  #prepare(number: number): Prepared {
    const sql = this.#sql[number];
    if (sql === undefined) throw new Error(`statement ${number} is not known`);
    const statement = this.#db.prepare(sql);
    return { statement, returnsRows: statement.columns().length > 0 };
  }

  #appendRecord(body: string, nowMs: number): void {
    const { record, state } = chainRecord(this.#chain, body);
    this.#append.run(NODE, state.sequence, nowMs, record, state.head.toString('base64url'));
    this.#chain = state;
  }
}

function readChain(db: DatabaseSync): ChainState {
  const last = db
    .prepare('select sequence, head from audit_records where node = ? order by sequence desc limit 1')
    .get(NODE) as { sequence: number; head: string } | undefined;
  return last === undefined
    ? EMPTY_CHAIN
    : { sequence: last.sequence, head: Buffer.from(last.head, 'base64url') };
}
