/** Responsible for the vocabulary of prices and usage: what a model costs per token class, and what a call consumed. */
import { formatUsd, nanos, parseUsd } from '@keyfold/protocol';
import type { ReportedUsage } from '../providers/provider.ts';

declare const nanosPerMillionBrand: unique symbol;

/** Price unit: nano-dollars for one million tokens. 1 USD per million tokens is `1_000_000_000n`. */
export type NanosPerMillion = bigint & { readonly [nanosPerMillionBrand]: true };

/** The highest price that is accepted: one dollar a token. */
export const NANOS_PER_MILLION_MAX = 1_000_000_000_000_000n;

/** What a model is for. */
export type ModelMode = (typeof MODEL_MODES)[number];

/** Every mode, for validation. */
export const MODEL_MODES = [
  'chat',
  'embedding',
  'completion',
  'image',
  'speech',
  'transcription',
  'moderation',
] as const;

/**
 * Prices of the token classes. A class without a price of its own costs what its parent does:
 * cached input, cache writes, audio and images cost as input, long cache writes as cache writes, cached audio as audio;
 * reasoning, and audio and images that were generated, cost as output.
 */
export interface Rates {
  readonly inputPerMillion: NanosPerMillion;
  readonly outputPerMillion: NanosPerMillion;
  readonly cachedInputPerMillion?: NanosPerMillion;
  readonly cacheWritePerMillion?: NanosPerMillion;
  /** Writes to a cache that lives longer than the vendor's default (Anthropic: one hour; OpenAI: twelve). */
  readonly longCacheWritePerMillion?: NanosPerMillion;
  readonly reasoningPerMillion?: NanosPerMillion;
  readonly audioInputPerMillion?: NanosPerMillion;
  readonly cachedAudioInputPerMillion?: NanosPerMillion;
  readonly imageInputPerMillion?: NanosPerMillion;
  readonly audioOutputPerMillion?: NanosPerMillion;
  readonly imageOutputPerMillion?: NanosPerMillion;
}

/** The rates of a whole call, every class, once its input of all classes exceeds `inputTokens`. */
export interface LongContextRates extends Rates {
  readonly inputTokens: number;
}

/** One version of one model's price: it holds from `effectiveFromMs` until the next version. */
export interface ModelPrice extends Rates {
  readonly provider: string;
  /** The public name. Unique within a provider. */
  readonly model: string;
  /** What the vendor's API calls this model. */
  readonly upstreamModel: string;
  /** Other names that clients may use. Each is a name that the vendor's API itself accepts. */
  readonly aliases: readonly string[];
  readonly mode: ModelMode;
  readonly above?: LongContextRates;
  /** The most tokens of input and output together. Unknown when absent. */
  readonly contextTokens?: number;
  /** The most tokens that one answer may have. Unknown when absent. */
  readonly outputTokensMax?: number;
  /** Unix milliseconds; 0 for a price without a known beginning. */
  readonly effectiveFromMs: number;
  /** Where the price was read. */
  readonly source: string;
}

/**
 * Tokens of one attempt in disjoint classes. `provider`: its own numbers. `counted`: of a stream that was cut off,
 * what had come of it. `estimated`: nothing is known, and the hold is what it costs.
 */
export interface Usage extends ReportedUsage {
  readonly provenance: 'provider' | 'counted' | 'estimated';
}

export const NO_USAGE: Usage = {
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
  provenance: 'provider',
};

/** Brands an amount as a price. Throws `RangeError` unless it is between 0 and `NANOS_PER_MILLION_MAX`. */
export function nanosPerMillion(amount: bigint): NanosPerMillion {
  if (amount < 0n || amount > NANOS_PER_MILLION_MAX) {
    throw new RangeError(
      `a price must be between 0 and ${NANOS_PER_MILLION_MAX} nano-dollars per million tokens`,
    );
  }
  return amount as NanosPerMillion;
}

/**
 * Reads US dollars per million tokens from decimal text such as `'0.0375'`, or from a number through its
 * shortest decimal text, exactly. Undefined for anything else: signs, exponents, more than nine decimals,
 * or a price above the maximum.
 */
export function parseUsdPerMillion(amount: string | number): NanosPerMillion | undefined {
  const text = String(amount);
  const price = text.startsWith('-') || Object.is(amount, -0) ? undefined : parseUsd(text);
  return price === undefined || price > NANOS_PER_MILLION_MAX ? undefined : nanosPerMillion(price);
}

/** Writes a price as decimal text of US dollars per million tokens: `'0.0375'`, `'3.00'`. */
export function formatUsdPerMillion(price: NanosPerMillion): string {
  return formatUsd(nanos(price));
}

/**
 * The name to send to the vendor for the name that a client asked for. A client that asks for a dated
 * snapshot gets that snapshot.
 */
export function upstreamModelFor(price: ModelPrice, requestedModel: string): string {
  return price.aliases.includes(requestedModel) ? requestedModel : price.upstreamModel;
}
