/** Responsible for what a call costs: exactly once its usage is known, and at most before it leaves. */
import { type Nanos, nanos } from '@keyfold/protocol';
import type { ModelPrice, NanosPerMillion, Rates, Usage } from './model-price.ts';

/** The most tokens that one class of one call may have; above it a count is absurd, not expensive. */
export const TOKENS_MAX = 1_000_000_000_000;
/** No call costs more: sums over thousands of the dearest still fit into the ledger's columns. A million dollars. */
export const CALL_COST_MAX: Nanos = nanos(1_000_000_000_000_000n);

/** The most tokens that a call may consume. Input is all classes of input together, output likewise. */
export interface UsageBound {
  readonly inputTokensMax: number;
  /** False where the input can only be text: then it is not held at the prices of audio and images. */
  readonly hasMediaInput: boolean;
  readonly outputTokensMax: number;
  /** False where audio and images were not asked for. */
  readonly hasMediaOutput: boolean;
}

/** A kind of tokens that no price can be taken for granted of: they may cost many times what text does. */
export type Medium = 'audio' | 'image';

/** What a price may say too little of to charge it. */
export type UnpricedTokens = Medium | 'long_cache_write';

type TokenClass = Exclude<keyof Usage, 'provenance'>;

const TEXT_INPUT: readonly TokenClass[] = [
  'inputTokens',
  'cachedInputTokens',
  'cacheWriteTokens',
  'longCacheWriteTokens',
];
const INPUT: readonly TokenClass[] = [
  ...TEXT_INPUT,
  'audioInputTokens',
  'cachedAudioInputTokens',
  'imageInputTokens',
];
const TEXT_OUTPUT: readonly TokenClass[] = ['outputTokens', 'reasoningTokens'];
const OUTPUT: readonly TokenClass[] = [...TEXT_OUTPUT, 'audioOutputTokens', 'imageOutputTokens'];

/**
 * The cost of a measured call, rounded up once to the next nano-dollar. Above the price's long-context
 * threshold the whole call is charged at the long-context rates. Throws `RangeError` on a count that is
 * not a whole number between 0 and `TOKENS_MAX`, or a cost that does not fit the ledger.
 */
export function costOf(price: ModelPrice, usage: Usage): Nanos {
  const rates = ratesOf(price, usage);
  let charged = 0n;
  for (const each of INPUT) charged += charge(usage[each] ?? 0, RATE_OF[each](rates));
  for (const each of OUTPUT) charged += charge(tokens(usage[each] ?? 0, each), RATE_OF[each](rates));
  return roundUp(charged);
}

/**
 * What of a usage its price says nothing of: `costOf` charges media as text, and writes to a cache that lives long as
 * others, which may be far too little. An image that was read is not among them, since vendors that price it apart from
 * text say so. Throws as `costOf` does.
 */
export function findUnpricedTokens(price: ModelPrice, usage: Usage): UnpricedTokens[] {
  const rates = ratesOf(price, usage);
  const heard = (usage.audioInputTokens ?? 0) + (usage.cachedAudioInputTokens ?? 0);
  const isUnheard = heard > 0 && rates.audioInputPerMillion === undefined;
  const isUnspoken = (usage.audioOutputTokens ?? 0) > 0 && rates.audioOutputPerMillion === undefined;
  const isUnseen = (usage.imageOutputTokens ?? 0) > 0 && rates.imageOutputPerMillion === undefined;
  const isUnkept = (usage.longCacheWriteTokens ?? 0) > 0 && rates.longCacheWritePerMillion === undefined;
  return [
    ...(isUnheard || isUnspoken ? (['audio'] as const) : []),
    ...(isUnseen ? (['image'] as const) : []),
    ...(isUnkept ? (['long_cache_write'] as const) : []),
  ];
}

/**
 * An upper bound on the cost of any call within `bound`: every token is charged at the dearest class it
 * could fall in, at the long-context rates if the input may reach them. Throws as `costOf` does.
 */
export function worstCaseCost(price: ModelPrice, bound: UsageBound): Nanos {
  const input = tokens(bound.inputTokensMax, 'inputTokensMax');
  const output = tokens(bound.outputTokensMax, 'outputTokensMax');
  const inputClasses = bound.hasMediaInput ? INPUT : TEXT_INPUT;
  const outputClasses = bound.hasMediaOutput ? OUTPUT : TEXT_OUTPUT;
  const { above } = price;
  const reached = above !== undefined && input > above.inputTokens ? [price, above] : [price];
  return roundUp(
    charge(input, dearest(reached, inputClasses)) + charge(output, dearest(reached, outputClasses)),
  );
}

function ratesOf(price: ModelPrice, usage: Usage): Rates {
  let inputOfAllClasses = 0;
  for (const each of INPUT) inputOfAllClasses += tokens(usage[each] ?? 0, each);
  return ratesAt(price, inputOfAllClasses);
}

function ratesAt(price: ModelPrice, inputTokensOfAllClasses: number): Rates {
  const above = price.above;
  return above !== undefined && inputTokensOfAllClasses > above.inputTokens ? above : price;
}

/** A class without a price of its own costs what its parent does. */
const RATE_OF: Readonly<Record<TokenClass, (rates: Rates) => NanosPerMillion>> = {
  inputTokens: (rates) => rates.inputPerMillion,
  cachedInputTokens: (rates) => rates.cachedInputPerMillion ?? rates.inputPerMillion,
  cacheWriteTokens: (rates) => rates.cacheWritePerMillion ?? rates.inputPerMillion,
  longCacheWriteTokens: (rates) => rates.longCacheWritePerMillion ?? RATE_OF.cacheWriteTokens(rates),
  audioInputTokens: (rates) => rates.audioInputPerMillion ?? rates.inputPerMillion,
  cachedAudioInputTokens: (rates) => rates.cachedAudioInputPerMillion ?? RATE_OF.audioInputTokens(rates),
  imageInputTokens: (rates) => rates.imageInputPerMillion ?? rates.inputPerMillion,
  outputTokens: (rates) => rates.outputPerMillion,
  reasoningTokens: (rates) => rates.reasoningPerMillion ?? rates.outputPerMillion,
  audioOutputTokens: (rates) => rates.audioOutputPerMillion ?? rates.outputPerMillion,
  imageOutputTokens: (rates) => rates.imageOutputPerMillion ?? rates.outputPerMillion,
};

function dearest(reached: readonly Rates[], classes: readonly TokenClass[]): NanosPerMillion {
  const rates = reached.flatMap((each) => classes.map((one) => RATE_OF[one](each)));
  return rates.reduce((left, right) => (left > right ? left : right));
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
  const cost = (millionthsOfNanos + 999_999n) / 1_000_000n;
  if (cost > CALL_COST_MAX) throw new RangeError('a call costs at most a million dollars');
  return nanos(cost);
}
