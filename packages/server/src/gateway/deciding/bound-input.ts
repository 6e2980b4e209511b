/** The most tokens that a call can put into a model, without a tokenizer. */
import type { ModelPrice } from '../../pricing/model-price.ts';
import type { Endpoint } from '../../providers/provider.ts';
import type { ParsedCall } from '../reading/parsed-call.ts';

export interface InputBound {
  /** To be held. */
  readonly tokensMax: number;
  /** What can have been used at all: a report above it is not believed. */
  readonly believedMax: number;
  /** For the rate limit alone. */
  readonly likely: number;
}

/** Tokens that an image may count for, beyond its bytes. */
const MEDIA_PART_TOKENS = 50_000;
/** Sound, films and documents of which bytes say nothing: a blank page has hundreds of tokens, and silence hours. */
const LONG_PART_TOKENS = 5_000_000;
/** Tokens that a vendor may add around messages. */
const FRAMING_TOKENS = 1_000;
/** What a tool may bring that its vendor has written: Anthropic's longest has some 6,600 ("Browser use tool"). */
const PROMPTED_TOOL_TOKENS = 10_000;
/** The longest input that is believed of a chat whose model's context is not known. */
const INPUT_TOKENS_BELIEVED = 10_000_000;
const BYTES_PER_TOKEN_LIKELY = 4;
/** Sound of 64 kilobits a second, at some ten tokens a second. */
const BYTES_PER_RECORDED_TOKEN_LIKELY = 800;
/** Some ten days of it. */
const RECORDED_TOKENS_BELIEVED = 10_000_000;

/** What goes through the model's context as a whole; a list of inputs does not. */
const CHATS: ReadonlySet<Endpoint> = new Set<Endpoint>([
  'chat.completions',
  'responses',
  'messages',
  'generateContent',
  'streamGenerateContent',
]);

/** No token is shorter than a byte, and no chat is longer than the model's context. Of a recording bytes say little. */
export function boundInput(call: ParsedCall, price: ModelPrice | undefined): InputBound {
  const { recording } = call;
  const textBytes = call.body.length - (recording?.bytes ?? 0);
  const beside =
    textBytes + boundMedia(call, price) + call.promptedTools * PROMPTED_TOOL_TOKENS + FRAMING_TOKENS;
  const likelyText = Math.ceil(textBytes / BYTES_PER_TOKEN_LIKELY);
  if (recording === undefined) {
    if (!CHATS.has(call.endpoint)) return { tokensMax: beside, believedMax: beside, likely: likelyText };
    const context = price?.contextTokens;
    return {
      tokensMax: Math.min(beside, context ?? Infinity),
      // What a vendor adds by itself is paid for, too.
      believedMax: Math.max(beside, context ?? INPUT_TOKENS_BELIEVED),
      likely: likelyText,
    };
  }
  const context = recording.isWhole ? price?.contextTokens : undefined;
  const heard = Math.ceil(recording.bytes / BYTES_PER_RECORDED_TOKEN_LIKELY);
  return {
    tokensMax: Math.min(beside + recording.tokensMax, context ?? Infinity),
    // One that was longer than what was held is paid for in full.
    believedMax: beside + RECORDED_TOKENS_BELIEVED,
    likely: likelyText + Math.min(heard, recording.tokensMax),
  };
}

/** No part is longer than the model's context, not even one of many inputs. */
function boundMedia({ mediaParts, longParts }: ParsedCall, price: ModelPrice | undefined): number {
  const context = price?.contextTokens ?? Infinity;
  const short = (mediaParts - longParts) * Math.min(MEDIA_PART_TOKENS, context);
  return short + longParts * Math.min(LONG_PART_TOKENS, context);
}
