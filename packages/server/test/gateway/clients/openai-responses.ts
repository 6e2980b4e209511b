/** Test support: OpenAI's client, `openai`, with responses that are not stored. */
import OpenAI, { APIError } from 'openai';
import type {
  Response,
  ResponseCreateParamsNonStreaming,
  ResponseInput,
  ResponseInputContent,
  ResponseUsage,
} from 'openai/resources/responses/responses';
import type { Tokens } from '../../stand-ins/vendor.ts';
import {
  type Ask,
  type ClientKind,
  IMAGE,
  IMAGE_URL,
  SCHEMA,
  type Told,
  WEATHER,
  readError,
} from './client.ts';

export const openaiResponses: ClientKind = {
  name: '`openai`, responses',
  lacks: ['stop sequences', 'a budget of reasoning', 'embeddings', 'counted tokens'],
  connect: (url, apiKey) => {
    const client = new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 });
    return { ask: (ask) => converse(client, ask, inputOf(ask)) };
  },
  stopWords: { end: 'completed', sequence: 'completed', length: 'max_output_tokens', calls: 'completed' },
  fold: (tokens) => tokens,
  resultText: (result) => result,
  readRefusal: (error) => (error instanceof APIError ? readError(error.status, error.error) : undefined),
};

async function converse(client: OpenAI, ask: Ask, input: ResponseInput): Promise<Told> {
  const params = paramsOf(ask, input);
  const {
    output,
    status,
    incomplete_details: incomplete,
    usage,
  } = ask.streamed === true ? await gather(client, params) : await client.responses.create(params);
  const calls = output.flatMap((item) => (item.type === 'function_call' ? [item] : []));
  const content = output.flatMap((item) => (item.type === 'message' ? item.content : []));
  const summaries = output.flatMap((item) => (item.type === 'reasoning' ? item.summary : []));
  return {
    text: content.map((part) => (part.type === 'output_text' ? part.text : '')).join(''),
    reasoning: summaries.map(({ text }) => text).join(''),
    calls: calls.map((call) => ({ name: call.name, args: JSON.parse(call.arguments) as unknown })),
    stop: incomplete?.reason ?? status,
    tokens: tokensOf(usage),
    answer: (...results) => {
      const told = results.map((result, index) => ({
        type: 'function_call_output' as const,
        call_id: calls[index]?.call_id ?? '',
        output: result,
      }));
      return converse(client, ask, [...input, ...(output as ResponseInput), ...told]);
    },
  };
}

/** What the last event has; the pieces before it must add up to its text. */
async function gather(client: OpenAI, params: ResponseCreateParamsNonStreaming): Promise<Response> {
  let text = '';
  for await (const event of await client.responses.create({ ...params, stream: true })) {
    if (event.type === 'response.output_text.delta') text += event.delta;
    if (event.type !== 'response.completed' && event.type !== 'response.incomplete') continue;
    const parts = event.response.output.flatMap((item) => (item.type === 'message' ? item.content : []));
    const whole = parts.map((part) => (part.type === 'output_text' ? part.text : '')).join('');
    if (whole !== text) throw new Error(`the pieces are '${text}', and the whole is '${whole}'`);
    return event.response;
  }
  throw new Error('the stream has ended before the response has');
}

function inputOf({ prompt, image }: Ask): ResponseInput {
  const image_url = image === 'inline' ? `data:image/png;base64,${IMAGE}` : IMAGE_URL;
  const parts: ResponseInputContent[] = [
    { type: 'input_text', text: prompt },
    { type: 'input_image', image_url, detail: 'auto' },
  ];
  return [{ role: 'user', content: image === undefined ? prompt : parts }];
}

function paramsOf(ask: Ask, input: ResponseInput): ResponseCreateParamsNonStreaming {
  const { model, system, hasTool, hasSchema, reasoning, limit } = ask;
  const { name, description, schema: parameters } = WEATHER;
  return {
    model,
    input,
    store: false,
    include: ['reasoning.encrypted_content'],
    ...(system === undefined ? {} : { instructions: system }),
    ...(limit === undefined ? {} : { max_output_tokens: limit }),
    ...(reasoning === undefined ? {} : { reasoning: { effort: 'medium', summary: 'auto' } }),
    ...(hasTool === true
      ? { tools: [{ type: 'function', name, description, parameters, strict: true }] }
      : {}),
    ...(hasSchema === true
      ? { text: { format: { type: 'json_schema', name: 'city', schema: SCHEMA, strict: true } } }
      : {}),
  };
}

function tokensOf(usage: ResponseUsage | undefined): Tokens {
  if (usage === undefined) throw new Error('no usage');
  const { cached_tokens: cached, cache_write_tokens: written } = usage.input_tokens_details;
  const { reasoning_tokens: reasoning } = usage.output_tokens_details;
  return {
    input: usage.input_tokens - cached - written,
    cached,
    written,
    output: usage.output_tokens - reasoning,
    reasoning,
  };
}
