/** Responsible for what a call costs: exactly once its usage is known, and at most before it leaves. */
import { type Nanos, nanos } from '@keyfold/protocol';
import type { ModelPrice, NanosPerMillion, Rates, Usage } from './model-price.ts';

/** The most tokens that one class of one call may have; above it a count is absurd, not expensive. */
export const TOKENS_MAX = 1_000_000_000_000;

/** The most tokens that a call may consume. Input is all classes of input together, output likewise. */
export interface UsageBound {
  readonly inputTokensMax: number;
  readonly outputTokensMax: number;
}

/**
 * The cost of a measured call, rounded up once to the next nano-dollar. Above the price's long-context
 * threshold the whole call is charged at the long-context rates. Throws `RangeError` on a count that is
 * not a whole number between 0 and `TOKENS_MAX`, or a cost that does not fit the ledger.
 */
export function costOf(price: ModelPrice, usage: Usage): Nanos {
  const input = tokens(usage.inputTokens, 'inputTokens');
  const cachedInput = tokens(usage.cachedInputTokens, 'cachedInputTokens');
  const cacheWrite = tokens(usage.cacheWriteTokens, 'cacheWriteTokens');
  const longCacheWrite = tokens(usage.longCacheWriteTokens ?? 0, 'longCacheWriteTokens');
  const output = tokens(usage.outputTokens, 'outputTokens');
  const reasoning = tokens(usage.reasoningTokens, 'reasoningTokens');

  const rates = ratesAt(price, input + cachedInput + cacheWrite + longCacheWrite);
  return roundUp(
    charge(input, rates.inputPerMillion) +
      charge(cachedInput, cachedInputRate(rates)) +
      charge(cacheWrite, cacheWriteRate(rates)) +
      charge(longCacheWrite, longCacheWriteRate(rates)) +
      charge(output, rates.outputPerMillion) +
      charge(reasoning, reasoningRate(rates)),
  );
}

/**
 * An upper bound on the cost of any call within `bound`: every token is charged at the dearest class it
 * could fall in, at the long-context rates if the input may reach them. Throws as `costOf` does.
 */
export function worstCaseCost(price: ModelPrice, bound: UsageBound): Nanos {
  const input = tokens(bound.inputTokensMax, 'inputTokensMax');
  const output = tokens(bound.outputTokensMax, 'outputTokensMax');
  let inputRate = dearestInputRate(price);
  let outputRate = dearestOutputRate(price);
  if (price.above !== undefined && input > price.above.inputTokens) {
    inputRate = dearer(inputRate, dearestInputRate(price.above));
    outputRate = dearer(outputRate, dearestOutputRate(price.above));
  }
  return roundUp(charge(input, inputRate) + charge(output, outputRate));
}

function ratesAt(price: ModelPrice, inputTokensOfAllClasses: number): Rates {
  const above = price.above;
  return above !== undefined && inputTokensOfAllClasses > above.inputTokens ? above : price;
}

function cachedInputRate(rates: Rates): NanosPerMillion {
  return rates.cachedInputPerMillion ?? rates.inputPerMillion;
}

function cacheWriteRate(rates: Rates): NanosPerMillion {
  return rates.cacheWritePerMillion ?? rates.inputPerMillion;
}

function longCacheWriteRate(rates: Rates): NanosPerMillion {
  return rates.longCacheWritePerMillion ?? cacheWriteRate(rates);
}

function reasoningRate(rates: Rates): NanosPerMillion {
  return rates.reasoningPerMillion ?? rates.outputPerMillion;
}

function dearestInputRate(rates: Rates): NanosPerMillion {
  const written = dearer(cacheWriteRate(rates), longCacheWriteRate(rates));
  return dearer(dearer(rates.inputPerMillion, cachedInputRate(rates)), written);
}

function dearestOutputRate(rates: Rates): NanosPerMillion {
  return dearer(rates.outputPerMillion, reasoningRate(rates));
}

function dearer(left: NanosPerMillion, right: NanosPerMillion): NanosPerMillion {
  return left > right ? left : right;
}

function tokens(count: number, name: string): number {
  if (!Number.isSafeInteger(count) || count < 0 || count > TOKENS_MAX) {
    throw new RangeError(`${name} must be a whole number between 0 and ${TOKENS_MAX}, not ${count}`);
  }
  return count;
}

/** Millionths of a nano-dollar: kept whole until the one rounding at the end. */
function charge(count: number, rate: NanosPerMillion): bigint {
  return count === 0 ? 0n : BigInt(count) * rate;
}

function roundUp(millionthsOfNanos: bigint): Nanos {
  return nanos((millionthsOfNanos + 999_999n) / 1_000_000n);
}
