/**
 * Test support: what OpenAI, DeepSeek ("Create Chat Completion" and "Thinking Mode", api-docs.deepseek.com) and a server such
 * as vLLM ("OpenAI-Compatible Server", docs.vllm.ai) have of chat completions, each refusing what the others alone have.
 */
import type { Flavour } from './openai.ts';
import {
  COMMON_FIELDS,
  IMAGE_PART,
  JSON_MODE,
  OUTPUT_LIMIT,
  SCHEMA_MODE,
  TEXT_PART,
} from './openai-request.ts';
import { type Fields, any, flag, integerFrom, oneOf, tagged, text } from './strict.ts';
import type { Tokens } from './vendor.ts';

/** Of its reasoning models, which know the output limit under its newer name alone, and show no reasoning. */
export const OPENAI: Flavour = {
  fields: {
    ...COMMON_FIELDS,
    max_completion_tokens: OUTPUT_LIMIT,
    response_format: tagged('type', SCHEMA_MODE),
    reasoning_effort: oneOf('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'),
    parallel_tool_calls: flag,
    n: integerFrom(1, 128),
    seed: integerFrom(Number.MIN_SAFE_INTEGER),
    user: text,
    store: flag,
  },
  parts: { text: TEXT_PART, image_url: IMAGE_PART },
  instructionRoles: ['system', 'developer'],
  reasoningField: undefined,
  limitField: 'max_completion_tokens',
  wantsReasoningBack: false,
  hasEmbeddings: true,
  hasResponses: true,
  usageOnLastChoice: false,
  tellsSequence: false,
  writeUsage: (tokens) => ({
    ...sumsOf(tokens),
    prompt_tokens_details: {
      cached_tokens: tokens.cached,
      cache_write_tokens: tokens.written,
      audio_tokens: 0,
    },
    completion_tokens_details: {
      reasoning_tokens: tokens.reasoning,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  }),
};

/** Text alone, JSON mode without schemas. The newer name of the limit is passed over. */
export const DEEPSEEK: Flavour = {
  fields: {
    ...COMMON_FIELDS,
    max_tokens: OUTPUT_LIMIT,
    max_completion_tokens: OUTPUT_LIMIT,
    response_format: tagged('type', JSON_MODE),
    thinking: tagged('type', { enabled: any, disabled: any }),
  },
  parts: { text: TEXT_PART },
  instructionRoles: ['system'],
  reasoningField: 'reasoning_content',
  limitField: 'max_tokens',
  wantsReasoningBack: true,
  hasEmbeddings: false,
  hasResponses: false,
  usageOnLastChoice: true,
  tellsSequence: false,
  writeUsage: (tokens) => ({
    ...sumsOf(tokens),
    prompt_tokens_details: { cached_tokens: tokens.cached },
    prompt_cache_hit_tokens: tokens.cached,
    prompt_cache_miss_tokens: tokens.input,
    completion_tokens_details: { reasoning_tokens: tokens.reasoning },
  }),
};

export const COMPATIBLE: Flavour = {
  fields: {
    ...COMMON_FIELDS,
    max_tokens: OUTPUT_LIMIT,
    max_completion_tokens: OUTPUT_LIMIT,
    response_format: tagged('type', SCHEMA_MODE),
    parallel_tool_calls: flag,
    n: integerFrom(1),
    seed: integerFrom(Number.MIN_SAFE_INTEGER),
    user: text,
  },
  parts: { text: TEXT_PART, image_url: IMAGE_PART },
  instructionRoles: ['system'],
  reasoningField: 'reasoning',
  limitField: 'max_tokens',
  wantsReasoningBack: false,
  hasEmbeddings: true,
  hasResponses: false,
  usageOnLastChoice: false,
  tellsSequence: true,
  writeUsage: (tokens) => ({
    ...sumsOf(tokens),
    prompt_tokens_details: { cached_tokens: tokens.cached },
    completion_tokens_details: { reasoning_tokens: tokens.reasoning },
  }),
};

function sumsOf({ input, cached, written, output, reasoning }: Tokens): Fields {
  const prompt = input + cached + written;
  const completion = output + reasoning;
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}
