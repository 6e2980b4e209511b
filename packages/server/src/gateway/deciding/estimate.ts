/** The most that a call can cost and use, known before it leaves. */
import { type Nanos, ZERO_NANOS } from '@keyfold/protocol';
import { Denial } from '../../kernel/denial.ts';
import { TOKENS_MAX, type UsageBound, worstCaseCost } from '../../pricing/cost.ts';
import type { ModelPrice } from '../../pricing/model-price.ts';
import type { Endpoint } from '../../providers/provider.ts';
import type { Target } from '../../routing/target.ts';
import { boundInput } from './bound-input.ts';
import { mediaOutputOf } from '../reading/media-output.ts';
import { MAKERS, findUnknownPrice } from './needed-prices.ts';
import type { ParsedCall } from '../reading/parsed-call.ts';

export interface Estimate {
  /** To be held on the call's budgets. */
  readonly cost: Nanos;
  /** To be taken from the tokens-per-minute limit: a likely figure, corrected when the usage is known. */
  readonly tokens: number;
  /** Output limit to write into the request, where neither the client nor the catalog bounds it. */
  readonly outputTokensCap: number | undefined;
  /** The most output that a choice may have. */
  readonly outputTokensMax: number;
  /** Its output could be limited further. */
  readonly isClampable: boolean;
  /** What the model can have used at all, whatever the client asked for: a report above it is not believed. */
  readonly possible: { readonly inputTokens: number; readonly outputTokens: number };
}

/** Output limit written into budgeted calls that nothing else bounds. */
const OUTPUT_TOKENS_INJECTED = 4_096;
/** Output that a call without a limit of its own is assumed to have, for the rate limit alone. */
const OUTPUT_TOKENS_LIKELY = 1_000;
/** The longest output that is believed of a model whose limit is not known. */
const OUTPUT_TOKENS_BELIEVED = 10_000_000;

/** Anthropic takes no message without a limit; one that came in another dialect may have none. */
const NEEDS_LIMIT: Endpoint = 'messages';

const COUNTS: ReadonlySet<Endpoint> = new Set<Endpoint>(['messages.count_tokens', 'countTokens']);
/** What puts out no tokens. */
const SILENT: ReadonlySet<Endpoint> = new Set<Endpoint>([
  'embeddings',
  'embedContent',
  'batchEmbedContents',
  'moderations',
]);

/** Counting tokens is free at the vendor, and generates nothing. */
const COUNTING: Estimate = {
  cost: ZERO_NANOS,
  tokens: 0,
  outputTokensCap: undefined,
  outputTokensMax: 0,
  isClampable: false,
  possible: { inputTokens: 0, outputTokens: 0 },
};

/** What a call is estimated under. */
export interface EstimateUnder {
  readonly isBudgeted: boolean;
  readonly isFree: boolean;
  readonly isTranslated: boolean;
  /** A limit on the output of each choice, beside the client's own. */
  readonly outputTokensMost?: number;
}

/** `model_unpriced` when the call is under a budget and its model has no price; a test key's call costs nothing. */
export function estimateCall(call: ParsedCall, target: Target, under: EstimateUnder): Estimate | Denial {
  if (COUNTS.has(call.endpoint)) return COUNTING;
  const { price } = target;
  const unknown = under.isBudgeted && !under.isFree ? findUnknownPrice(call, target) : undefined;
  if (unknown !== undefined) return unknown;
  const input = boundInput(call, price);
  const output = boundOutput(call, price, under);
  const bound = {
    inputTokensMax: input.tokensMax,
    hasMediaInput: call.mediaParts > 0 || call.recording !== undefined,
    outputTokensMax: output.tokensMax,
    hasMediaOutput: mediaOutputOf(call, price).length > 0,
  };
  const cost = price === undefined || under.isFree ? ZERO_NANOS : boundCost(price, bound);
  if (cost instanceof Denial) return cost;
  return {
    cost,
    tokens: input.likely + output.likely,
    outputTokensCap: output.cap,
    outputTokensMax: output.eachMax,
    isClampable: !SILENT.has(call.endpoint) && !MAKERS.has(call.endpoint) && !hasThinkingBudget(call),
    possible: { inputTokens: input.believedMax, outputTokens: believeOutput(call, price) },
  };
}

/** Anthropic refuses a limit that is not above the tokens that were set aside for thinking. */
function hasThinkingBudget({ endpoint, scan }: ParsedCall): boolean {
  return endpoint === 'messages' && scan.field('thinking')?.kind === 'object';
}

function believeOutput(call: ParsedCall, price: ModelPrice | undefined): number {
  const each = price?.outputTokensMax ?? OUTPUT_TOKENS_BELIEVED;
  return Math.min(call.choices * each + call.tokensBeside, TOKENS_MAX);
}

/** A call of more tokens than can be counted, or of more money than the ledger can hold, is refused. */
function boundCost(price: ModelPrice, bound: UsageBound): Nanos | Denial {
  try {
    return worstCaseCost(price, bound);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return new Denial('invalid_request', {
      param: 'max_tokens',
      message:
        "The output that this call allows, over all its choices and prompts, is beyond all measure. Set a smaller 'max_tokens', 'n' or 'prompt'.",
    });
  }
}

interface OutputBound {
  readonly tokensMax: number;
  /** Of one choice. */
  readonly eachMax: number;
  readonly likely: number;
  /** To be written into the request. */
  readonly cap: number | undefined;
}

/** Nothing in these calls limits what comes out: only the model does, and under a budget it is known how. */
function boundMade(call: ParsedCall, price: ModelPrice | undefined): OutputBound {
  const eachMax = price?.outputTokensMax ?? OUTPUT_TOKENS_INJECTED;
  const tokensMax = call.choices * eachMax + call.tokensBeside;
  const likely = Math.min(tokensMax, call.choices * OUTPUT_TOKENS_LIKELY);
  return { tokensMax, eachMax, likely, cap: undefined };
}

/** What the client asked for, what the model can, or what is written into the request: the least of them, for each choice. */
function boundOutput(call: ParsedCall, price: ModelPrice | undefined, under: EstimateUnder): OutputBound {
  if (SILENT.has(call.endpoint)) return { tokensMax: 0, eachMax: 0, likely: 0, cap: undefined };
  if (MAKERS.has(call.endpoint)) return boundMade(call, price);
  const asked = call.outputTokensMax;
  const isUnbounded = asked === undefined && price?.outputTokensMax === undefined;
  const isMissing = under.isTranslated && asked === undefined && call.endpoint === NEEDS_LIMIT;
  const { outputTokensMost = Infinity } = under;
  const isClamped = asked === undefined && outputTokensMost < Infinity;
  const isCapped = isMissing || isClamped || (isUnbounded && under.isBudgeted);
  const cap = isCapped
    ? Math.min(price?.outputTokensMax ?? OUTPUT_TOKENS_INJECTED, outputTokensMost)
    : undefined;
  // Unbounded output is left only to calls that no budget covers; they hold as much as an injected limit would.
  const bounded = Math.min(
    outputTokensMost,
    asked ?? Infinity,
    price?.outputTokensMax ?? asked ?? OUTPUT_TOKENS_INJECTED,
  );
  return {
    tokensMax: call.choices * bounded,
    eachMax: bounded,
    likely: call.choices * Math.min(asked ?? OUTPUT_TOKENS_LIKELY, bounded),
    cap,
  };
}
