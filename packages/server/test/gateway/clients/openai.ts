/** Test support: OpenAI's client, `openai`, with chat completions and embeddings. */
import OpenAI, { APIError } from 'openai';
import type {
  ChatCompletionAssistantMessageParam,
  ChatCompletionContentPart,
  ChatCompletionCreateParamsNonStreaming,
  ChatCompletionMessageParam,
} from 'openai/resources/chat/completions';
import type { CompletionUsage } from 'openai/resources/completions';
import type { Tokens } from '../../stand-ins/vendor.ts';
import { gather } from './openai-chunks.ts';
import {
  type Ask,
  type ClientKind,
  IMAGE,
  IMAGE_URL,
  SCHEMA,
  type Told,
  WEATHER,
  fieldsOf,
  readError,
} from './client.ts';

export const openaiChat: ClientKind = {
  name: '`openai`, chat completions',
  lacks: ['a budget of reasoning', 'counted tokens'],
  connect: (url, apiKey) => {
    const client = new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });
    return {
      ask: (ask) => converse(client, ask, messagesOf(ask)),
      embed: async (model, input) => {
        const { data } = await client.embeddings.create({ model, input: [...input] });
        return data.map(({ embedding }) => embedding);
      },
    };
  },
  stopWords: { end: 'stop', sequence: 'stop', length: 'length', calls: 'tool_calls' },
  fold: (tokens) => tokens,
  resultText: (result) => result,
  readRefusal: (error) => (error instanceof APIError ? readError(error.status, error.error) : undefined),
};

async function converse(
  client: OpenAI,
  ask: Ask,
  messages: readonly ChatCompletionMessageParam[],
): Promise<Told> {
  const params = paramsOf(ask, messages);
  const answer =
    ask.streamed === true ? await gather(client, params) : await client.chat.completions.create(params);
  const [choice] = answer.choices;
  if (choice === undefined) throw new Error('no choice');
  const message: ChatCompletionAssistantMessageParam = choice.message;
  const calls = (message.tool_calls ?? []).filter((call) => call.type === 'function');
  const { reasoning_content: reasoning, reasoning: other } = fieldsOf(message);
  return {
    text: typeof message.content === 'string' ? message.content : '',
    reasoning: [reasoning, other].find((text) => typeof text === 'string') ?? '',
    calls: calls.map(({ function: called }) => ({
      name: called.name,
      args: JSON.parse(called.arguments) as unknown,
    })),
    stop: choice.finish_reason,
    tokens: tokensOf(answer.usage ?? undefined),
    answer: (...results) => {
      const told = results.map((content, index) => ({
        role: 'tool' as const,
        tool_call_id: calls[index]?.id ?? '',
        content,
      }));
      return converse(client, ask, [...messages, message, ...told]);
    },
  };
}

function messagesOf({ system, prompt, image }: Ask): readonly ChatCompletionMessageParam[] {
  const instructions = system === undefined ? [] : [{ role: 'system' as const, content: system }];
  const url = image === 'inline' ? `data:image/png;base64,${IMAGE}` : IMAGE_URL;
  const parts: ChatCompletionContentPart[] = [
    { type: 'text', text: prompt },
    { type: 'image_url', image_url: { url } },
  ];
  return [...instructions, { role: 'user', content: image === undefined ? prompt : parts }];
}

function paramsOf(
  { model, hasTool, hasSchema, reasoning, limit, stop }: Ask,
  messages: readonly ChatCompletionMessageParam[],
): ChatCompletionCreateParamsNonStreaming {
  const { name, description, schema: parameters } = WEATHER;
  return {
    model,
    messages: [...messages],
    ...(limit === undefined ? {} : { max_completion_tokens: limit }),
    ...(stop === undefined ? {} : { stop: [stop] }),
    ...(reasoning === undefined ? {} : { reasoning_effort: 'medium' }),
    ...(hasTool === true
      ? { tools: [{ type: 'function', function: { name, description, parameters } }] }
      : {}),
    ...(hasSchema === true
      ? {
          response_format: {
            type: 'json_schema',
            json_schema: { name: 'city', schema: SCHEMA, strict: true },
          },
        }
      : {}),
  };
}

export function tokensOf(usage: CompletionUsage | undefined): Tokens {
  if (usage === undefined) throw new Error('no usage');
  const cached = usage.prompt_tokens_details?.cached_tokens ?? 0;
  const written = Number(fieldsOf(usage.prompt_tokens_details)['cache_write_tokens'] ?? 0);
  const reasoning = usage.completion_tokens_details?.reasoning_tokens ?? 0;
  return {
    input: usage.prompt_tokens - cached - written,
    cached,
    written,
    output: usage.completion_tokens - reasoning,
    reasoning,
  };
}
