/** Test support: Anthropic's client, `@anthropic-ai/sdk`. */
import Anthropic, { APIError } from '@anthropic-ai/sdk';
import type {
  ContentBlockParam,
  MessageCreateParamsNonStreaming,
  MessageParam,
  Usage,
} from '@anthropic-ai/sdk/resources/messages';
import type { Tokens } from '../../stand-ins/vendor.ts';
import {
  type Ask,
  BUDGET,
  type ClientKind,
  IMAGE,
  IMAGE_URL,
  LIMIT,
  SCHEMA,
  type Told,
  WEATHER,
  fieldsOf,
  readError,
} from './client.ts';

export const anthropicMessages: ClientKind = {
  name: '`@anthropic-ai/sdk`',
  lacks: ['embeddings'],
  connect: (baseURL, apiKey) => {
    const client = new Anthropic({ apiKey, baseURL, maxRetries: 0 });
    return {
      ask: (ask) => converse(client, ask, [{ role: 'user', content: contentOf(ask) }]),
      countTokens: async (model, content) => {
        const counted = await client.messages.countTokens({ model, messages: [{ role: 'user', content }] });
        return counted.input_tokens;
      },
    };
  },
  stopWords: { end: 'end_turn', sequence: 'stop_sequence', length: 'max_tokens', calls: 'tool_use' },
  fold: (tokens) => tokens,
  resultText: (result) => result,
  readRefusal: (error) =>
    error instanceof APIError
      ? readError(error.status as number | undefined, fieldsOf(error.error)['error'])
      : undefined,
};

async function converse(client: Anthropic, ask: Ask, messages: readonly MessageParam[]): Promise<Told> {
  const params = paramsOf(ask, messages);
  const message =
    ask.streamed === true
      ? await client.messages.stream(params).finalMessage()
      : await client.messages.create(params);
  const { content, stop_reason: stop, usage } = message;
  const calls = content.filter((block) => block.type === 'tool_use');
  return {
    text: content.map((block) => (block.type === 'text' ? block.text : '')).join(''),
    reasoning: content.map((block) => (block.type === 'thinking' ? block.thinking : '')).join(''),
    calls: calls.map(({ name, input }) => ({ name, args: input })),
    stop,
    tokens: tokensOf(usage),
    answer: (...results) => {
      const told: ContentBlockParam[] = results.map((result, index) => ({
        type: 'tool_result',
        tool_use_id: calls[index]?.id ?? '',
        content: result,
      }));
      return converse(client, ask, [
        ...messages,
        { role: 'assistant', content },
        { role: 'user', content: told },
      ]);
    },
  };
}

function contentOf({ prompt, image }: Ask): string | ContentBlockParam[] {
  if (image === undefined) return prompt;
  const source =
    image === 'inline'
      ? ({ type: 'base64', media_type: 'image/png', data: IMAGE } as const)
      : ({ type: 'url', url: IMAGE_URL } as const);
  return [
    { type: 'text', text: prompt },
    { type: 'image', source },
  ];
}

function paramsOf(ask: Ask, messages: readonly MessageParam[]): MessageCreateParamsNonStreaming {
  const { model, system, hasTool, hasSchema, reasoning, limit = LIMIT, stop } = ask;
  const { name, description, schema: input_schema } = WEATHER;
  const format = hasSchema === true ? { format: { type: 'json_schema' as const, schema: SCHEMA } } : {};
  const effort = reasoning === 'effort' ? { effort: 'medium' as const } : {};
  return {
    model,
    max_tokens: limit,
    messages: [...messages],
    ...(system === undefined ? {} : { system }),
    ...(stop === undefined ? {} : { stop_sequences: [stop] }),
    ...(hasTool === true
      ? {
          tools: [
            { name, description, input_schema: { ...input_schema, required: [...input_schema.required] } },
          ],
        }
      : {}),
    ...(reasoning === 'effort' ? { thinking: { type: 'adaptive' } } : {}),
    ...(reasoning === 'budget' ? { thinking: { type: 'enabled', budget_tokens: BUDGET } } : {}),
    ...(hasSchema === true || reasoning === 'effort' ? { output_config: { ...effort, ...format } } : {}),
  };
}

function tokensOf(usage: Usage): Tokens {
  const reasoning = usage.output_tokens_details?.thinking_tokens ?? 0;
  return {
    input: usage.input_tokens,
    cached: usage.cache_read_input_tokens ?? 0,
    written: usage.cache_creation_input_tokens ?? 0,
    output: usage.output_tokens - reasoning,
    reasoning,
  };
}
