/** Statements: built and typed by Kysely for either dialect; those of the call path are compiled once, at start. */
import { NONCE_LIFE_S } from '@keyfold/protocol';
import { type Compilable, type Expression, type Kysely, sql } from 'kysely';
import { TOKEN_COLUMNS } from './money-schema.ts';
import type { Schema } from './schema.ts';

export type SqlValue = string | number | bigint | null;

/** What a step must have done, else its whole unit of work is undone: changed a row, or found one. */
export type Guard = 'changes-row' | 'finds-row';

/** One statement with its values. */
export interface SqlStep {
  readonly sql: string;
  readonly values: readonly SqlValue[];
  readonly guard?: Guard | undefined;
  /**
   * Where several processes share a database: runs before all units of its commit, in the order of these names and once for
   * each, so that two processes which insert the same rows at once never deadlock. It stays should its unit be undone.
   */
  readonly ahead?: string;
}

/**
 * One record for this node's audit chain, as the JSON text of an object or an array without its opening; the writer puts
 * sequence and node first.
 */
export interface AppendStep {
  readonly append: string;
}

/** What is summed for each source of calls in each hour, and in each day, in the order of the columns. */
export const SUM_COLUMNS = ['calls', ...TOKEN_COLUMNS, 'cost_nanos'] as const;

/** The calls of one source in one hour. */
export interface SumName {
  /** The digest of a row in `call_sources`. */
  readonly source: string;
  /** Hours since 1970. */
  readonly hour: number;
}

/** Adds to the sums of an hour, and of the day that it is in. Never refuses: sums decide about nothing. */
export interface SumStep {
  readonly sum: SumName;
  /** One for each of `SUM_COLUMNS`; below zero takes away. */
  readonly amounts: readonly bigint[];
}

/** One budget in one of its periods. */
export interface BalanceName {
  readonly budgetId: string;
  readonly periodStartMs: number;
}

/** Adds to what is posted and held on a balance; with a cap, a guard that both together stay within it. */
export interface BalanceStep {
  readonly balance: BalanceName;
  readonly posted: bigint;
  readonly held: bigint;
  readonly cap?: bigint;
  /** With a cap: it is for all balances of the budget from this start on together, of which this is one. */
  readonly sinceMs?: number;
}

/** Uses up a value; a guard that nobody has in the last `CLAIMS_KEPT_MS`. */
export interface ClaimStep {
  /** 16 characters of base64url: a digest of what is claimed, since all that matters is whether two are the same. */
  readonly claim: string;
}

/** A request may be judged by its head, and claim when its body has come. */
const BODY_MS = 60_000;
/** Every claim is kept at least so long, by clocks that do not jump. */
export const CLAIMS_KEPT_MS = NONCE_LIFE_S * 1_000 + BODY_MS;

export type Step = SqlStep | AppendStep | BalanceStep | ClaimStep | SumStep;

export type Build = (db: Kysely<Schema>) => Compilable;
type Values = Readonly<Record<string, SqlValue>>;

/** Stands in a compiled statement for a value that each execution gives. */
class Parameter {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

export interface Prepare {
  /** Compiles a statement once. `param('x')` marks where the execution's `x` goes. */
  <V extends Values>(
    build: (
      db: Kysely<Schema>,
      param: <Name extends keyof V & string>(name: Name) => Expression<V[Name]>,
    ) => Compilable,
    guard?: Guard,
  ): (values: V) => SqlStep;
}

export function createPrepare(db: Kysely<Schema>): Prepare {
  return (build, guard) => {
    const compiled = build(db, (name) => sql.val(new Parameter(name)) as Expression<never>).compile();
    const parameters = compiled.parameters;
    return (given) => ({
      sql: compiled.sql,
      guard,
      values: parameters.map((parameter) =>
        parameter instanceof Parameter ? valueOf(given, parameter.name) : (parameter as SqlValue),
      ),
    });
  };
}

function valueOf(values: Values, name: string): SqlValue {
  const value = values[name];
  if (value === undefined) throw new TypeError(`statement parameter ${name} was not given`);
  return value;
}

/** Compiles one statement with its values in place. */
export function compileStep(db: Kysely<Schema>, build: Build, guard?: Guard): SqlStep {
  const compiled = build(db).compile();
  return { sql: compiled.sql, values: compiled.parameters as SqlValue[], guard };
}
