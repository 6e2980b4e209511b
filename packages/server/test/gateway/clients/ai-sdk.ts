/** Test support: the AI SDK, `ai`, with its providers for OpenAI, Anthropic and Google. */
import { createAnthropic } from '@ai-sdk/anthropic';
import { createGoogle } from '@ai-sdk/google';
import { createOpenAI } from '@ai-sdk/openai';
import {
  APICallError,
  type LanguageModel,
  type LanguageModelUsage,
  type ModelMessage,
  Output,
  type ToolSet,
  embedMany,
  generateText,
  jsonSchema,
  streamText,
  tool,
} from 'ai';
import type { Tokens } from '../../stand-ins/vendor.ts';
import {
  type Ask,
  BUDGET,
  type ClientKind,
  IMAGE,
  IMAGE_URL,
  LIMIT,
  type NeutralStop,
  type Refusal,
  SCHEMA,
  type Told,
  WEATHER,
  fieldsOf,
  readError,
  readGoogleError,
} from './client.ts';

type ProviderOptions = NonNullable<Parameters<typeof generateText>[0]['providerOptions']>;

const STOP_WORDS: Readonly<Record<NeutralStop, string>> = {
  end: 'stop',
  sequence: 'stop',
  length: 'length',
  calls: 'tool-calls',
};

export const aiOpenAiChat: ClientKind = {
  name: '`ai` with `@ai-sdk/openai`, chat completions',
  lacks: ['a budget of reasoning', 'counted tokens'],
  connect: (url, apiKey) => {
    const provider = createOpenAI({ apiKey, baseURL: `${url}/v1` });
    return {
      ask: (ask) =>
        converse({ model: provider.chat(ask.model), providerOptions: optionsOf(ask, OPENAI_OPTIONS) }, ask),
      embed: (model, values) => embed(provider.embeddingModel(model), values),
    };
  },
  stopWords: STOP_WORDS,
  fold: (tokens) => tokens,
  resultText: (result) => result,
  readRefusal: (error) => refusalOf(error, (status, body) => readError(status, fieldsOf(body)['error'])),
};

export const aiOpenAiResponses: ClientKind = {
  ...aiOpenAiChat,
  name: '`ai` with `@ai-sdk/openai`, responses',
  lacks: ['stop sequences', 'a budget of reasoning', 'embeddings', 'counted tokens'],
  connect: (url, apiKey) => {
    const provider = createOpenAI({ apiKey, baseURL: `${url}/v1` });
    return {
      ask: (ask) =>
        converse(
          { model: provider.responses(ask.model), providerOptions: optionsOf(ask, RESPONSES_OPTIONS) },
          ask,
        ),
    };
  },
};

export const aiAnthropic: ClientKind = {
  name: '`ai` with `@ai-sdk/anthropic`',
  lacks: ['embeddings', 'counted tokens'],
  connect: (url, apiKey) => {
    const provider = createAnthropic({ apiKey, baseURL: `${url}/v1` });
    return {
      ask: (ask) =>
        converse({ model: provider(ask.model), providerOptions: optionsOf(ask, ANTHROPIC_OPTIONS) }, ask),
    };
  },
  stopWords: STOP_WORDS,
  fold: (tokens) => tokens,
  resultText: (result) => result,
  readRefusal: (error) => refusalOf(error, (status, body) => readError(status, fieldsOf(body)['error'])),
};

export const aiGoogle: ClientKind = {
  name: '`ai` with `@ai-sdk/google`',
  // It fetches images itself.
  lacks: ['an image by its address', 'counted tokens'],
  connect: (url, apiKey) => {
    const provider = createGoogle({ apiKey, baseURL: `${url}/v1beta` });
    return {
      ask: (ask) =>
        converse({ model: provider(ask.model), providerOptions: optionsOf(ask, GOOGLE_OPTIONS) }, ask),
      embed: (model, values) => embed(provider.embeddingModel(model), values),
    };
  },
  stopWords: STOP_WORDS,
  // What was written to a cache is prompt like any other to it.
  fold: ({ input, written, ...rest }) => ({ ...rest, input: input + written, written: 0 }),
  resultText: (content) => JSON.stringify({ name: WEATHER.name, content }),
  readRefusal: (error) => refusalOf(error, readGoogleError),
};

const OPENAI_OPTIONS = { always: {}, effort: { openai: { reasoningEffort: 'medium' } }, budget: {} };
/** It asks for the encrypted reasoning by itself where it knows the model's name as one that reasons. */
const STATELESS = { store: false, include: ['reasoning.encrypted_content'] };
const RESPONSES_OPTIONS = {
  always: { openai: STATELESS },
  effort: {
    openai: { ...STATELESS, reasoningEffort: 'medium', reasoningSummary: 'auto', forceReasoning: true },
  },
  budget: {},
};
const ANTHROPIC_OPTIONS = {
  always: { anthropic: { structuredOutputMode: 'outputFormat' } },
  effort: { anthropic: { thinking: { type: 'adaptive' }, effort: 'medium' } },
  budget: { anthropic: { thinking: { type: 'enabled', budgetTokens: BUDGET } } },
};
const GOOGLE_OPTIONS = {
  always: {},
  effort: { google: { thinkingConfig: { thinkingLevel: 'medium', includeThoughts: true } } },
  budget: { google: { thinkingConfig: { thinkingBudget: BUDGET, includeThoughts: true } } },
};

function optionsOf(
  { reasoning }: Ask,
  options: Readonly<Record<'always' | 'effort' | 'budget', ProviderOptions>>,
): ProviderOptions {
  return options[reasoning ?? 'always'];
}

async function embed(model: Parameters<typeof embedMany>[0]['model'], values: readonly string[]) {
  const { embeddings } = await embedMany({ model, values: [...values], maxRetries: 0 });
  return embeddings;
}

/** Not run by the SDK: the test answers. */
const TOOLS = {
  [WEATHER.name]: tool({
    description: WEATHER.description,
    inputSchema: jsonSchema<object>(WEATHER.schema as object),
  }),
} as ToolSet;

async function converse(
  asked: { readonly model: LanguageModel; readonly providerOptions: ProviderOptions },
  ask: Ask,
  messages: readonly ModelMessage[] = [{ role: 'user', content: contentOf(ask) }],
): Promise<Told> {
  const { system, limit = LIMIT, stop, hasTool, hasSchema } = ask;
  const options = {
    ...asked,
    messages: [...messages],
    maxRetries: 0,
    maxOutputTokens: limit,
    ...(system === undefined ? {} : { instructions: system }),
    ...(stop === undefined ? {} : { stopSequences: [stop] }),
    ...(hasTool === true ? { tools: TOOLS } : {}),
    ...(hasSchema === true
      ? { output: Output.object({ schema: jsonSchema<object>(SCHEMA as object) }) }
      : {}),
  };
  const answer = ask.streamed === true ? await stream(options) : await generateText(options);
  return {
    text: answer.text,
    reasoning: answer.reasoningText ?? '',
    calls: answer.toolCalls.map(({ toolName, input }) => ({ name: toolName, args: input as unknown })),
    stop: answer.finishReason,
    tokens: tokensOf(answer.usage),
    answer: (...results) => {
      const told = results.map((value, index) => ({
        type: 'tool-result' as const,
        toolCallId: answer.toolCalls[index]?.toolCallId ?? '',
        toolName: WEATHER.name,
        output: { type: 'text' as const, value },
      }));
      const history = [...messages, ...answer.response.messages, { role: 'tool' as const, content: told }];
      return converse(asked, ask, history);
    },
  };
}

/** Errors of a stream are among its parts, and are told to the log unless they are taken. */
async function stream(options: Parameters<typeof streamText>[0]) {
  const failures: unknown[] = [];
  const result = streamText({ ...options, onError: ({ error }) => void failures.push(error) });
  await result.consumeStream({ onError: () => undefined });
  if (failures.length > 0) throw failures[0];
  return {
    text: await result.text,
    reasoningText: await result.reasoningText,
    toolCalls: await result.toolCalls,
    finishReason: await result.finishReason,
    usage: await result.usage,
    response: await result.response,
  };
}

function contentOf({ prompt, image }: Ask): Extract<ModelMessage, { role: 'user' }>['content'] {
  if (image === undefined) return prompt;
  const data = image === 'inline' ? IMAGE : new URL(IMAGE_URL);
  return [
    { type: 'text', text: prompt },
    { type: 'file', mediaType: 'image/png', data },
  ];
}

function tokensOf({ inputTokenDetails, outputTokenDetails }: LanguageModelUsage): Tokens {
  return {
    input: inputTokenDetails.noCacheTokens ?? 0,
    cached: inputTokenDetails.cacheReadTokens ?? 0,
    written: inputTokenDetails.cacheWriteTokens ?? 0,
    output: outputTokenDetails.textTokens ?? 0,
    reasoning: outputTokenDetails.reasoningTokens ?? 0,
  };
}

function refusalOf(
  error: unknown,
  read: (status: number | undefined, body: unknown) => Refusal | undefined,
): Refusal | undefined {
  if (!APICallError.isInstance(error)) return undefined;
  return read(error.statusCode, JSON.parse(error.responseBody ?? '{}'));
}
