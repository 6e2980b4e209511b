/** Executes batches of units of work on the one writing SQLite connection. Runs inside the worker. */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { type ChainState, EMPTY_CHAIN, headBytes, headText } from '../audit-chain.ts';
import { ChainTip } from '../chain-tip.ts';
import type { SqlValue } from '../statement.ts';
import { BalanceBatch } from '../balance-batch.ts';
import { BalanceRows } from './balance-rows.ts';
import { SumBatch } from '../sum-batch.ts';
import { decodeInteger } from './batch-encoder.ts';
import { ClaimIndex } from './claim-index.ts';
import {
  BALANCE,
  CLAIM,
  SUM,
  type WireBatch,
  type WireResult,
  type WireStep,
  type WireUnit,
  type WireValue,
} from './messages.ts';
import { SumWriter } from './write-sums.ts';

const NODE = 1;
/** What running steps yields when every guard held. */
const ALL_HELD = -1;

type WireStatement = readonly [statement: number, guarded: 0 | 1, ...values: WireValue[]];
type WireBalance = readonly [
  number,
  name: number,
  posted: WireValue,
  held: WireValue,
  cap: WireValue,
  sinceMs: number | null,
];
type WireClaim = readonly [number, value: string];
type WireSum = readonly [number, name: number, ...amounts: WireValue[]];

/** Where a unit began, in all that is kept in memory until the commit. */
interface Mark {
  readonly chain: ChainState;
  readonly balances: number;
  readonly claims: number;
  readonly sums: number;
}

interface Prepared {
  readonly statement: StatementSync;
  readonly returnsRows: boolean;
}

export class SqliteWriter {
  /** Its state is durable whenever no batch runs. */
  readonly chain: ChainTip;
  readonly #db: DatabaseSync;
  readonly #sql: string[] = [];
  readonly #statements: (Prepared | undefined)[] = [];
  readonly #append: StatementSync;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #rows: BalanceRows;
  readonly #insertClaim: StatementSync;
  readonly #claims: ClaimIndex;
  readonly #sumWriter: SumWriter;
  #balances: BalanceBatch;
  #sums = new SumBatch();
  #texts: readonly string[] = [];
  #names: Pick<WireBatch, 'balances' | 'sums'> = { balances: [], sums: [] };
  /** The unit that runs has changed a row or appended a record: only a savepoint can undo that. */
  #hasWritten = false;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#begin = db.prepare('begin immediate');
    this.#commit = db.prepare('commit');
    this.#append = db.prepare(
      'insert into audit_records (node, sequence, at, record, head) values (?, ?, ?, ?, ?)',
    );
    this.#rows = new BalanceRows(db);
    this.#balances = new BalanceBatch(this.#rows);
    this.#insertClaim = db.prepare('insert into claims (value) values (?)');
    this.#sumWriter = new SumWriter(db);
    this.#claims = readClaims(db);
    this.chain = new ChainTip(readChain(db));
  }

  /**
   * One commit of a batch and the audit texts that its steps name. Throws when the commit itself fails: then nothing of
   * the batch is durable. The batch is first run without savepoints, which almost always suffices; should a unit have to
   * be undone after it wrote, the whole batch is undone and run again with them.
   */
  run(batch: WireBatch, texts: readonly string[]): WireResult[] {
    for (const [index, sql] of batch.statements.entries()) this.#sql[batch.firstStatement + index] = sql;
    this.#texts = texts;
    this.#names = batch;
    const work = () => this.#runPlainly(batch);
    return this.#transact(work) ?? this.#transact(() => this.#runWithSavepoints(batch)) ?? [];
  }

  /** Commits unless `work` answers `undefined` or throws; then all is undone. */
  #transact(work: () => WireResult[] | undefined): WireResult[] | undefined {
    const chainBefore = this.chain.state;
    this.#balances = new BalanceBatch(this.#rows);
    this.#sums = new SumBatch();
    this.#begin.run();
    try {
      const results = work();
      if (results !== undefined) {
        this.#rows.write(this.#balances.changed());
        this.#sumWriter.write(this.#sums);
        for (const value of this.#claims.pending) this.#insertClaim.run(value);
        this.#commit.run();
        this.#claims.settle();
        return results;
      }
    } catch (error) {
      this.chain.undoTo(chainBefore);
      this.#claims.undoTo(0);
      if (this.#db.isTransaction) this.#db.exec('rollback');
      throw error;
    }
    this.chain.undoTo(chainBefore);
    this.#claims.undoTo(0);
    this.#db.exec('rollback');
    return undefined;
  }

  /** `undefined` when a unit must be undone after it has written, or broke. */
  #runPlainly(batch: WireBatch): WireResult[] | undefined {
    const results: WireResult[] = [];
    for (const steps of batch.units) {
      this.#hasWritten = false;
      const before = this.#mark();
      try {
        const refusedStep = this.#runSteps(steps, batch.nowMs);
        if (refusedStep !== ALL_HELD) {
          if (this.#hasWritten) return undefined;
          this.#undoInMemory(before);
        }
        results.push(refusedStep);
      } catch (error) {
        // A full disk ends the whole transaction by itself; then the batch fails, not the unit.
        if (!this.#db.isTransaction) throw error;
        return undefined;
      }
    }
    return results;
  }

  #runWithSavepoints(batch: WireBatch): WireResult[] {
    return batch.units.map((unit) => this.#runUnit(unit, batch.nowMs));
  }

  #runUnit(steps: WireUnit, nowMs: number): WireResult {
    const before = this.#mark();
    this.#db.exec('savepoint unit');
    try {
      const refusedStep = this.#runSteps(steps, nowMs);
      if (refusedStep !== ALL_HELD) this.#undo(before);
      this.#db.exec('release unit');
      return refusedStep;
    } catch (error) {
      if (!this.#db.isTransaction) throw error;
      this.#undo(before);
      this.#db.exec('release unit');
      return error instanceof Error ? error.message : String(error);
    }
  }

  #mark(): Mark {
    return {
      chain: this.chain.state,
      balances: this.#balances.mark(),
      claims: this.#claims.mark(),
      sums: this.#sums.mark(),
    };
  }

  #undo(before: Mark): void {
    this.#db.exec('rollback to unit');
    this.#undoInMemory(before);
  }

  #undoInMemory(before: Mark): void {
    this.chain.undoTo(before.chain);
    this.#balances.undoTo(before.balances);
    this.#claims.undoTo(before.claims);
    this.#sums.undoTo(before.sums);
  }

  /** Index of the guarded step that did not hold, or `ALL_HELD`. */
  #runSteps(steps: readonly WireStep[], nowMs: number): number {
    for (let index = 0; index < steps.length; index++) {
      const step = steps[index];
      if (step === undefined) continue;
      if (typeof step === 'number') this.#appendRecord(this.#texts[step] ?? '', nowMs);
      else if (step[0] === BALANCE) {
        if (!this.#changeBalance(step as WireBalance)) return index;
      } else if (step[0] === CLAIM) {
        if (!this.#claims.add((step as WireClaim)[1])) return index;
      } else if (step[0] === SUM) {
        this.#addSum(step);
      } else if (!this.#runStatement(step as WireStatement) && step[1] === 1) return index;
    }
    return ALL_HELD;
  }

  #changeBalance([, name, posted, held, cap, sinceMs]: WireBalance): boolean {
    const [budgetId, periodStartMs] = this.#names.balances[name] ?? ['', 0];
    return this.#balances.apply({
      balance: { budgetId, periodStartMs },
      posted: decodeInteger(posted),
      held: decodeInteger(held),
      ...(cap === null ? {} : { cap: decodeInteger(cap) }),
      ...(sinceMs === null ? {} : { sinceMs }),
    });
  }

  #addSum([, name, ...amounts]: WireSum): void {
    const [source, hour] = this.#names.sums[name] ?? ['', 0];
    this.#sums.add({ sum: { source, hour }, amounts: amounts.map((amount) => decodeInteger(amount)) });
  }

  /** True when the statement changed or found a row. */
  #runStatement([number, , ...wire]: WireStatement): boolean {
    const { statement, returnsRows } = (this.#statements[number] ??= this.#prepare(number));
    const values = wire as (SqlValue | WireValue)[];
    for (let index = 0; index < values.length; index++) {
      const value = values[index];
      if (typeof value === 'object' && value !== null) values[index] = BigInt(value[0]);
    }
    if (returnsRows) return statement.get(...(values as SqlValue[])) !== undefined;
    const isChanged = statement.run(...(values as SqlValue[])).changes > 0;
    this.#hasWritten ||= isChanged;
    return isChanged;
  }

  #prepare(number: number): Prepared {
    const sql = this.#sql[number];
    if (sql === undefined) throw new Error(`statement ${number} is not known`);
    const statement = this.#db.prepare(sql);
    // Only whether there is a row matters; an object for it costs more than finding it.
    statement.setReturnArrays(true);
    return { statement, returnsRows: statement.columns().length > 0 };
  }

  #appendRecord(body: string, nowMs: number): void {
    const { record, state } = this.chain.append({ node: NODE, body });
    this.#hasWritten = true;
    this.#append.run(NODE, state.sequence, nowMs, record, headBytes(state.head));
  }
}

function readChain(db: DatabaseSync): ChainState {
  const last = db
    .prepare('select sequence, head from audit_records where node = ? order by sequence desc limit 1')
    .get(NODE) as { sequence: number; head: Uint8Array } | undefined;
  return last === undefined ? EMPTY_CHAIN : { sequence: last.sequence, head: headText(last.head) };
}

/** How old a row is cannot be told from a clock that may have jumped: each is kept its whole time from now. */
function readClaims(db: DatabaseSync): ClaimIndex {
  const claims = new ClaimIndex(() => performance.now());
  const rows = db.prepare('select value from claims').iterate();
  for (const { value } of rows as Iterable<{ value: string }>) claims.add(value);
  claims.settle();
  return claims;
}
