/** The most that a call can cost and use, known before it leaves. */
import { type Nanos, ZERO_NANOS } from '@keyfold/protocol';
import { Denial } from '../kernel/denial.ts';
import { type Medium, TOKENS_MAX, type UsageBound, worstCaseCost } from '../pricing/cost.ts';
import type { ModelPrice } from '../pricing/model-price.ts';
import type { Endpoint } from '../providers/provider.ts';
import type { Target } from '../routing/target.ts';
import type { ParsedCall } from './parse-call.ts';

export interface Estimate {
  /** To be held on the call's budgets. */
  readonly cost: Nanos;
  /** To be taken from the tokens-per-minute limit: a likely figure, corrected when the usage is known. */
  readonly tokens: number;
  /** Output limit to write into the request, where neither the client nor the catalog bounds it. */
  readonly outputTokensCap: number | undefined;
  /** What the model can have used at all, whatever the client asked for: a report above it is not believed. */
  readonly possible: { readonly inputTokens: number; readonly outputTokens: number };
}

/** Tokens that an image, a recording or a file may count for, beyond its bytes. */
const MEDIA_PART_TOKENS = 50_000;
/** Output limit written into budgeted calls that nothing else bounds. */
const OUTPUT_TOKENS_INJECTED = 4_096;
/** Output that a call without a limit of its own is assumed to have, for the rate limit alone. */
const OUTPUT_TOKENS_LIKELY = 1_000;
const BYTES_PER_TOKEN_LIKELY = 4;
/** Tokens that a vendor may add around messages. */
const FRAMING_TOKENS = 1_000;
/** The longest output that is believed of a model whose limit is not known. */
const OUTPUT_TOKENS_BELIEVED = 10_000_000;

/** Anthropic takes no message without a limit; one that came in another dialect may have none. */
const NEEDS_LIMIT: Endpoint = 'messages';

const COUNTS: ReadonlySet<Endpoint> = new Set<Endpoint>(['messages.count_tokens', 'countTokens']);
/** What goes through the model's context as a whole; a list of inputs does not. */
const CHATS: ReadonlySet<Endpoint> = new Set<Endpoint>([
  'chat.completions',
  'responses',
  'messages',
  'generateContent',
  'streamGenerateContent',
]);
/** What puts out no tokens. */
const SILENT: ReadonlySet<Endpoint> = new Set<Endpoint>([
  'embeddings',
  'embedContent',
  'batchEmbedContents',
  'moderations',
]);
/** What puts out as much as its model makes of it. */
const MAKERS: ReadonlySet<Endpoint> = new Set<Endpoint>(['images.generations', 'audio.speech']);

/** Counting tokens is free at the vendor, and generates nothing. */
const COUNTING: Estimate = {
  cost: ZERO_NANOS,
  tokens: 0,
  outputTokensCap: undefined,
  possible: { inputTokens: 0, outputTokens: 0 },
};

/** `model_unpriced` when the call is under a budget and its model has no price; a test key's call costs nothing. */
export function estimateCall(
  call: ParsedCall,
  target: Target,
  under: { readonly isBudgeted: boolean; readonly isFree: boolean; readonly isTranslated: boolean },
): Estimate | Denial {
  if (COUNTS.has(call.endpoint)) return COUNTING;
  const { price } = target;
  if (price === undefined && under.isBudgeted && !under.isFree) {
    return new Denial('model_unpriced', {
      param: 'model',
      message: `The model '${target.provider}/${target.model}' has no price, and this key is under a budget. Set one with PUT /v1/catalog/models/${target.provider}/${target.model}.`,
    });
  }
  const missing = call.mediaOutput.find((each) => price !== undefined && !isPriced(price, each));
  if (missing !== undefined && under.isBudgeted && !under.isFree) return refuseMedium(target, missing);
  const output = boundOutput(call, price, under);
  if (output === undefined) return refuseUnbounded(target);
  // No token is shorter than a byte, and no chat is longer than the model's context; a list of inputs may be.
  const inputBound = call.body.length + call.mediaParts * MEDIA_PART_TOKENS + FRAMING_TOKENS;
  const context = CHATS.has(call.endpoint) ? price?.contextTokens : undefined;
  const bound = {
    inputTokensMax: Math.min(inputBound, context ?? Infinity),
    hasMediaInput: call.mediaParts > 0,
    outputTokensMax: output.tokensMax,
    hasMediaOutput: call.mediaOutput.length > 0,
  };
  const cost = price === undefined || under.isFree ? ZERO_NANOS : boundCost(price, bound);
  if (cost instanceof Denial) return cost;
  return {
    cost,
    tokens: Math.ceil(call.body.length / BYTES_PER_TOKEN_LIKELY) + output.likely,
    outputTokensCap: output.cap,
    possible: {
      inputTokens: inputBound,
      outputTokens: Math.min(
        call.choices * (price?.outputTokensMax ?? OUTPUT_TOKENS_BELIEVED) + call.tokensBeside,
        TOKENS_MAX,
      ),
    },
  };
}

const MEDIUM_PRICES = { audio: 'audioOutputPerMillion', image: 'imageOutputPerMillion' } as const;

/** Generated audio and images cost many times what text does: its price says nothing of theirs. */
function isPriced(price: ModelPrice, medium: Medium): boolean {
  const field = MEDIUM_PRICES[medium];
  return price[field] !== undefined && (price.above === undefined || price.above[field] !== undefined);
}

function refuseMedium({ provider, model }: Target, medium: Medium): Denial {
  return new Denial('model_unpriced', {
    param: 'model',
    message: `The model '${provider}/${model}' has no price for ${medium} that it generates, and this key is under a budget. Set ${medium}_output_usd_per_million with PUT /v1/catalog/models/${provider}/${model}.`,
  });
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
  readonly likely: number;
  /** To be written into the request. */
  readonly cap: number | undefined;
}

/** Nothing in these calls limits what comes out: only the model does. `undefined` where that is not known and must be. */
function boundMade(
  call: ParsedCall,
  price: ModelPrice | undefined,
  under: { readonly isBudgeted: boolean; readonly isFree: boolean },
): OutputBound | undefined {
  const eachMax = price?.outputTokensMax;
  if (eachMax === undefined && under.isBudgeted && !under.isFree) return undefined;
  const tokensMax = call.choices * (eachMax ?? OUTPUT_TOKENS_INJECTED) + call.tokensBeside;
  return { tokensMax, likely: Math.min(tokensMax, call.choices * OUTPUT_TOKENS_LIKELY), cap: undefined };
}

function refuseUnbounded({ provider, model }: Target): Denial {
  return new Denial('model_unpriced', {
    param: 'model',
    message: `How much the model '${provider}/${model}' can put out at most is not known, nothing in this call limits it, and this key is under a budget. Set output_tokens_max with PUT /v1/catalog/models/${provider}/${model}.`,
  });
}

/** What the client asked for, what the model can, or what is written into the request: the least of them, for each choice. */
function boundOutput(
  call: ParsedCall,
  price: ModelPrice | undefined,
  under: { readonly isBudgeted: boolean; readonly isFree: boolean; readonly isTranslated: boolean },
): OutputBound | undefined {
  if (SILENT.has(call.endpoint)) return { tokensMax: 0, likely: 0, cap: undefined };
  if (MAKERS.has(call.endpoint)) return boundMade(call, price, under);
  const asked = call.outputTokensMax;
  const isUnbounded = asked === undefined && price?.outputTokensMax === undefined;
  const isMissing = under.isTranslated && asked === undefined && call.endpoint === NEEDS_LIMIT;
  const isCapped = isMissing || (isUnbounded && under.isBudgeted);
  const cap = isCapped ? (price?.outputTokensMax ?? OUTPUT_TOKENS_INJECTED) : undefined;
  // Unbounded output is left only to calls that no budget covers; they hold as much as an injected limit would.
  const bounded = Math.min(asked ?? Infinity, price?.outputTokensMax ?? asked ?? OUTPUT_TOKENS_INJECTED);
  return {
    tokensMax: call.choices * bounded,
    likely: call.choices * Math.min(asked ?? OUTPUT_TOKENS_LIKELY, bounded),
    cap,
  };
}
