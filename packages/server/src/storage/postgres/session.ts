/** The one writing PostgreSQL session of this process: commits batches and keeps its node's chain. */
import type pg from 'pg';
import type { UnitOfWork } from '../database.ts';
import { type ChainState, headBytes } from '../audit-chain.ts';
import { ChainTip } from '../chain-tip.ts';
import type { UnitResult } from '../group-commit.ts';
import { BalanceBatch } from '../balance-batch.ts';
import type { SqlStep, Step } from '../statement.ts';
import { LockedBalances, lockBalances, writeBalances } from './locked-balances.ts';
import { SumBatch } from '../sum-batch.ts';
import { ClaimBatch, INSERT_CLAIMS, REMOVE_CLAIMS, claimsOf } from './claim-batch.ts';
import type { Connected } from './connect.ts';
import { runAhead } from './run-ahead.ts';
import { writeSums } from './write-sums.ts';

/** The longest wait for the server to take leave. */
const CLOSE_TIMEOUT_MS = 2_000;
const ALL_HELD = -1;

export class PostgresSession {
  readonly #client: pg.Client;
  readonly #destroy: () => void;
  readonly node: number;
  /** Its state is durable whenever no batch runs. */
  readonly chain: ChainTip;
  #onEnd: (() => void) | undefined;
  #claims = new ClaimBatch([]);
  #balances = new BalanceBatch(new LockedBalances([], []));
  #sums = new SumBatch();

  /** `onEnd` is called once, as soon as the session is of no more use, whoever ended it. */
  constructor({ client, destroy, node, chain }: Connected, onEnd: () => void) {
    this.#client = client;
    this.#destroy = destroy;
    this.node = node;
    this.chain = new ChainTip(chain);
    this.#onEnd = onEnd;
    client.once('error', () => this.#end());
    client.once('end', () => this.#end());
  }

  /**
   * One transaction. Throws when it is not known to be committed. Where the server does not confirm that it is undone, the
   * session is ended with it: the next one reads from the database what became of it.
   */
  async run(units: readonly UnitOfWork[], nowMs: number): Promise<readonly UnitResult[]> {
    const chainBefore = this.chain.state;
    try {
      await this.#client.query('begin');
      this.#claims = await this.#insertClaims(units);
      this.#balances = new BalanceBatch(await lockBalances(this.#client, units));
      this.#sums = new SumBatch();
      await runAhead(units, (step) => this.#send(step));
      const results: UnitResult[] = [];
      for (const unit of units) results.push(await this.#runUnit(unit, nowMs));
      await writeBalances(this.#client, this.#balances.changed());
      // After everything else: who waits for a sum holds nothing that its owner may want.
      await writeSums(this.#client, this.#sums);
      await this.#removeClaims(this.#claims.unused);
      // To the commit of an aborted transaction the server answers with a rollback, which is no error to it.
      const { command } = await this.#client.query('commit');
      if (command !== 'COMMIT') throw new Error(`the server answered the commit with ${command}`);
      return results;
    } catch (error) {
      this.chain.undoTo(chainBefore);
      await this.#client.query('rollback').catch(() => this.#end());
      throw error;
    }
  }

  async close(): Promise<void> {
    const timer = setTimeout(this.#destroy, CLOSE_TIMEOUT_MS);
    await this.#client.end();
    clearTimeout(timer);
  }

  #end(): void {
    this.#destroy();
    this.#onEnd?.();
    this.#onEnd = undefined;
  }

  async #insertClaims(units: readonly UnitOfWork[]): Promise<ClaimBatch> {
    const values = claimsOf(units);
    if (values.length === 0) return new ClaimBatch([]);
    const { rows } = await this.#client.query<{ value: string }>({
      name: 'keyfold_insert_claims',
      text: INSERT_CLAIMS,
      values: [values],
    });
    return new ClaimBatch(rows.map(({ value }) => value));
  }

  async #removeClaims(unused: readonly string[]): Promise<void> {
    if (unused.length > 0) await this.#client.query(REMOVE_CLAIMS, [unused]);
  }

  async #runUnit(unit: UnitOfWork, nowMs: number): Promise<UnitResult> {
    const before = {
      chain: this.chain.state,
      balances: this.#balances.mark(),
      claims: this.#claims.mark(),
      sums: this.#sums.mark(),
    };
    this.#sendAhead('savepoint unit');
    try {
      const refusedStep = await this.#runSteps(unit.steps, nowMs);
      if (refusedStep === ALL_HELD) {
        this.#sendAhead('release savepoint unit');
        return { committed: true };
      }
      await this.#undo(before);
      this.#sendAhead('release savepoint unit');
      return { committed: false, refusedStep };
    } catch (error) {
      await this.#undo(before);
      return { error: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Sends without waiting: should it fail, so does every later statement of the transaction, and those are waited for. */
  #sendAhead(sql: string): void {
    this.#client.query(sql).catch(() => undefined);
  }

  async #undo(before: {
    readonly chain: ChainState;
    readonly balances: number;
    readonly claims: number;
    readonly sums: number;
  }): Promise<void> {
    await this.#client.query('rollback to savepoint unit');
    this.chain.undoTo(before.chain);
    this.#balances.undoTo(before.balances);
    this.#claims.undoTo(before.claims);
    this.#sums.undoTo(before.sums);
  }

  /** Sends every step at once and then looks at the guards: one round trip a unit, since an unheld guard undoes all anyway. */
  async #runSteps(steps: readonly Step[], nowMs: number): Promise<number> {
    const answers = await Promise.allSettled(steps.map((step) => this.#runStep(step, nowMs)));
    for (const [index, answer] of answers.entries()) {
      const step = steps[index];
      const guarded =
        step !== undefined &&
        (('sql' in step && step.guard !== undefined) || 'balance' in step || 'claim' in step);
      if (answer.status === 'rejected') throw answer.reason;
      if (guarded && answer.value === 0) return index;
    }
    return ALL_HELD;
  }

  async #runStep(step: Step, nowMs: number): Promise<number> {
    if ('append' in step) return this.#append(step.append, nowMs);
    if ('claim' in step) return Number(this.#claims.take(step.claim));
    if ('sum' in step) {
      this.#sums.add(step);
      return 1;
    }
    if ('sql' in step && step.ahead !== undefined) return 1;
    return 'balance' in step ? Number(this.#balances.apply(step)) : this.#send(step);
  }

  async #send(step: SqlStep): Promise<number> {
    const result = await this.#client.query({
      text: step.sql,
      values: [...step.values],
      name: statementName(step.sql),
    });
    return result.rowCount ?? 0;
  }

  async #append(body: string, nowMs: number): Promise<number> {
    const { record, state } = this.chain.append({ node: this.node, body });
    return this.#send({
      sql: `insert into audit_records (node, sequence, at, record, head) values ($1, $2, $3, $4, decode($5, 'hex'))`,
      values: [this.node, state.sequence, nowMs, record, headBytes(state.head).toString('hex')],
    });
  }
}

const statementNames = new Map<string, string>();

/** A stable name a statement, so that the server prepares it once a session. */
function statementName(sql: string): string {
  let name = statementNames.get(sql);
  if (name === undefined) {
    name = `keyfold_${statementNames.size}`;
    statementNames.set(sql, name);
  }
  return name;
}
