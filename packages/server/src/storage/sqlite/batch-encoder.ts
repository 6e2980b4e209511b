/** Writes units of work in the form in which they cross to the SQLite worker. */
import type { UnitOfWork } from '../database.ts';
import type { BalanceName, Step, SumName } from '../statement.ts';
import { BALANCE, CLAIM, SUM, type WireStep, type WireUnit, type WireValue } from './messages.ts';

const SAFE = BigInt(Number.MAX_SAFE_INTEGER);

export class BatchEncoder {
  readonly texts: string[] = [];
  readonly balances: (readonly [budgetId: string, periodStartMs: number])[] = [];
  readonly sums: (readonly [source: string, hour: number])[] = [];
  readonly #numberOf: (sql: string) => number;
  readonly #balanceNumbers = new Map<string, number>();
  readonly #sumNumbers = new Map<string, number>();

  constructor(numberOf: (sql: string) => number) {
    this.#numberOf = numberOf;
  }

  encodeUnit({ steps }: UnitOfWork): WireUnit {
    return steps.map((step) => this.#encodeStep(step));
  }

  #encodeStep(step: Step): WireStep {
    if ('append' in step) return this.texts.push(step.append) - 1;
    if ('claim' in step) return [CLAIM, step.claim];
    if ('sum' in step) {
      const wire: [typeof SUM, number, ...WireValue[]] = [SUM, this.#numberOfSum(step.sum)];
      for (const amount of step.amounts) wire.push(encodeInteger(amount));
      return wire;
    }
    if ('balance' in step) {
      const cap = step.cap === undefined ? null : encodeInteger(step.cap);
      return [
        BALANCE,
        this.#numberOfBalance(step.balance),
        encodeInteger(step.posted),
        encodeInteger(step.held),
        cap,
        step.sinceMs ?? null,
      ];
    }
    const wire: [number, 0 | 1, ...WireValue[]] = [
      this.#numberOf(step.sql),
      step.guard === undefined ? 0 : 1,
    ];
    for (const value of step.values) wire.push(typeof value === 'bigint' ? encodeInteger(value) : value);
    return wire;
  }

  #numberOfBalance({ budgetId, periodStartMs }: BalanceName): number {
    const name = `${budgetId} ${periodStartMs}`;
    let number = this.#balanceNumbers.get(name);
    if (number === undefined) {
      number = this.balances.push([budgetId, periodStartMs]) - 1;
      this.#balanceNumbers.set(name, number);
    }
    return number;
  }

  #numberOfSum({ source, hour }: SumName): number {
    const name = `${source} ${hour}`;
    let number = this.#sumNumbers.get(name);
    if (number === undefined) {
      number = this.sums.push([source, hour]) - 1;
      this.#sumNumbers.set(name, number);
    }
    return number;
  }
}

/** JSON numbers are exact up to 2^53; what is larger crosses as text. */
function encodeInteger(value: bigint): WireValue {
  if (value === 0n) return 0;
  return value <= SAFE && value >= -SAFE ? Number(value) : [String(value)];
}

export function decodeInteger(value: WireValue): bigint {
  if (value === 0) return 0n;
  return BigInt(typeof value === 'object' ? (value?.[0] ?? 0) : value);
}
