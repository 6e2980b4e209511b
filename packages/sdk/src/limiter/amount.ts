/** What a call needs or has used, and what that costs: exact, from decimal prices, rounded up to a nano-dollar. */
import { type Nanos, nanos, parseUsd } from '@keyfold/protocol';
import type { Usd } from '../wire.ts';

/** Tokens and cost; or a model and its tokens, priced by the limiter's table. */
export type Amount =
  | { readonly tokens?: number | undefined; readonly costUsd?: Usd | undefined }
  | { readonly model: string; readonly inputTokens: number; readonly outputTokens: number };

export interface Price {
  readonly inputUsdPerMillion: Usd;
  readonly outputUsdPerMillion: Usd;
}

/** What could be told of an amount. Unknown is not zero. */
export interface Measure {
  readonly tokens: number | undefined;
  readonly cost: Nanos | undefined;
}

const TOKENS_PER_PRICE = 1_000_000n;

/** Throws `TypeError` for what is no amount, and for a model that has no price. Fractions of a token are rounded up. */
export function measure(amount: Amount, prices: Readonly<Record<string, Price>>): Measure {
  if ('model' in amount) {
    const { model } = amount;
    const price = Object.hasOwn(prices, model) ? prices[model] : undefined;
    if (price === undefined) throw new TypeError(`there is no price for the model '${model}'`);
    const [input, output] = [readTokens(amount.inputTokens), readTokens(amount.outputTokens)];
    const total =
      BigInt(input) * readMoney(price.inputUsdPerMillion) +
      BigInt(output) * readMoney(price.outputUsdPerMillion);
    const cost = nanos((total + TOKENS_PER_PRICE - 1n) / TOKENS_PER_PRICE);
    return { tokens: readTokens(input + output), cost };
  }
  return {
    tokens: amount.tokens === undefined ? undefined : readTokens(amount.tokens),
    cost: amount.costUsd === undefined ? undefined : readMoney(amount.costUsd),
  };
}

/** Throws `TypeError` for what is no decimal amount of dollars, of zero or more and at most nine places. */
export function readMoney(amount: Usd): Nanos {
  const money = parseUsd(amount);
  if (money === undefined || money < 0n) {
    throw new TypeError('money is a decimal amount of US dollars, zero or more, such as "12.50"');
  }
  return money;
}

function readTokens(tokens: number): number {
  // Where usage comes from a provider its type is what the provider made it.
  const whole = typeof tokens === 'number' ? Math.ceil(tokens) : Number.NaN;
  if (!Number.isSafeInteger(whole) || whole < 0) throw new TypeError('tokens are a number, zero or more');
  return whole;
}
