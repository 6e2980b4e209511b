/** Test support: requests that no vendor's model can be asked, in each dialect, and the field that must be named. */
import { IMAGE } from './client.ts';

export interface BadRequestCase {
  readonly name: string;
  /** Beside, or in place of, the fields of the least request. */
  readonly fields: object;
  readonly param: string;
  /** The field is right, but nobody else has it. */
  readonly code?: 'unsupported_parameter';
}

export interface BadRequests {
  readonly dialect: string;
  readonly path: (model: string) => string;
  readonly least: (model: string) => object;
  readonly cases: readonly BadRequestCase[];
  /** More than 20 MB of it. */
  readonly hugeImage: (base64: string) => { readonly fields: object; readonly param: string };
  /** The code and the param of an error body, in this dialect's place for them. */
  readonly readError: (body: ErrorBody) => readonly [string | undefined, string | undefined];
}

export interface ErrorBody {
  readonly type?: string;
  readonly error?: {
    readonly type?: string;
    readonly code?: string;
    readonly param?: string;
    readonly status?: string;
    readonly details?: readonly {
      readonly reason?: string;
      readonly metadata?: { readonly param?: string };
    }[];
  };
}

/** Objects in each other, this many levels of them. */
function nest(levels: number): object {
  return levels === 0 ? {} : { type: 'object', properties: { a: nest(levels - 2) } };
}

const DEEP = nest(40);
const USER = { role: 'user', content: 'Hi' };

export const CHAT_COMPLETIONS: BadRequests = {
  dialect: 'chat completions',
  path: () => '/v1/chat/completions',
  least: (model) => ({ model, messages: [USER] }),
  cases: [
    { name: 'no messages', fields: { messages: [] }, param: 'messages' },
    { name: 'messages that are no list', fields: { messages: 'Hi' }, param: 'messages' },
    {
      name: 'an unknown role',
      fields: { messages: [{ role: 'god', content: 'Hi' }] },
      param: 'messages.0.role',
    },
    { name: 'no role', fields: { messages: [{ content: 'Hi' }] }, param: 'messages.0.role' },
    { name: 'no content', fields: { messages: [{ role: 'user' }] }, param: 'messages.0.content' },
    {
      name: 'empty content',
      fields: { messages: [{ role: 'user', content: [] }] },
      param: 'messages.0.content',
    },
    {
      name: 'an unknown type of part',
      fields: { messages: [{ role: 'user', content: [{ type: 'smell', smell: 'x' }] }] },
      param: 'messages.0.content.0.type',
    },
    {
      name: 'a result of no call',
      fields: { messages: [USER, { role: 'tool', tool_call_id: 'call_1', content: 'x' }] },
      param: 'messages.1.tool_call_id',
    },
    {
      name: 'arguments that are no object',
      fields: {
        messages: [
          USER,
          {
            role: 'assistant',
            tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '[1]' } }],
          },
        ],
      },
      param: 'messages.1.tool_calls.0.function.arguments',
    },
    {
      name: 'an image of another type',
      fields: { messages: [imageMessage(`data:image/tiff;base64,${IMAGE}`)] },
      param: 'messages.0.content.0.image_url.url',
    },
    {
      name: 'an image at no address',
      fields: { messages: [imageMessage('file:///etc/passwd')] },
      param: 'messages.0.content.0.image_url.url',
    },
    {
      name: 'a schema too deep',
      fields: { tools: [{ type: 'function', function: { name: 'f', parameters: DEEP } }] },
      param: 'tools.0.function.parameters',
    },
    {
      name: 'an answer of too deep a schema',
      fields: { response_format: { type: 'json_schema', json_schema: { name: 'a', schema: DEEP } } },
      param: 'response_format.json_schema.schema',
    },
    { name: '129 answers', fields: { n: 129 }, param: 'n' },
    { name: '128 answers', fields: { n: 128 }, param: 'n', code: 'unsupported_parameter' },
    { name: 'too many stop sequences', fields: { stop: ['a', 'b', 'c', 'd', 'e'] }, param: 'stop' },
    { name: 'a temperature out of range', fields: { temperature: 3 }, param: 'temperature' },
    {
      name: 'a bias of tokens',
      fields: { logit_bias: { '1': 1 } },
      param: 'logit_bias',
      code: 'unsupported_parameter',
    },
    {
      name: "Anthropic's system",
      fields: { system: 'Be terse.' },
      param: 'system',
      code: 'unsupported_parameter',
    },
    { name: "Gemini's contents", fields: { contents: [] }, param: 'contents', code: 'unsupported_parameter' },
    {
      name: "Anthropic's image",
      fields: { messages: [{ role: 'user', content: [{ type: 'image', source: {} }] }] },
      param: 'messages.0.content.0.type',
    },
  ],
  hugeImage: (base64) => ({
    fields: { messages: [imageMessage(`data:image/png;base64,${base64}`)] },
    param: 'messages.0.content.0.image_url.url',
  }),
  readError: ({ error }) => [error?.code, error?.param],
};

export const MESSAGES: BadRequests = {
  dialect: 'Messages',
  path: () => '/v1/messages',
  least: (model) => ({ model, max_tokens: 100, messages: [USER] }),
  cases: [
    { name: 'no messages', fields: { messages: [] }, param: 'messages' },
    {
      name: 'an unknown role',
      fields: { messages: [{ role: 'tool', content: 'Hi' }] },
      param: 'messages.0.role',
    },
    {
      name: 'empty text',
      fields: { messages: [{ role: 'user', content: '' }] },
      param: 'messages.0.content',
    },
    {
      name: 'an unknown type of block',
      fields: { messages: [{ role: 'user', content: [{ type: 'smell' }] }] },
      param: 'messages.0.content.0.type',
      code: 'unsupported_parameter',
    },
    {
      name: 'a result of no call',
      fields: { messages: [{ role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1' }] }] },
      param: 'messages.0.content.0.tool_use_id',
    },
    {
      name: 'an input that is no object',
      fields: {
        messages: [
          USER,
          { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f', input: [1] }] },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a' }] },
        ],
      },
      param: 'messages.1.content.0.input',
    },
    {
      name: 'an input that is a number of many digits',
      fields: {
        messages: [
          USER,
          { role: 'assistant', content: [{ type: 'tool_use', id: 'a', name: 'f', input: 1e20 }] },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'a' }] },
        ],
      },
      param: 'messages.1.content.0.input',
    },
    {
      name: 'an image of another type',
      fields: { messages: [imageBlock('image/tiff', IMAGE)] },
      param: 'messages.0.content.0.source.media_type',
    },
    {
      name: 'an image that is no base64',
      fields: { messages: [imageBlock('image/png', 'no base64!')] },
      param: 'messages.0.content.0.source.data',
    },
    {
      name: 'a schema too deep',
      fields: { tools: [{ name: 'f', input_schema: DEEP }] },
      param: 'tools.0.input_schema',
    },
    {
      name: 'two tools of one name',
      fields: { tools: [tool('f'), tool('f')] },
      param: 'tools.1.name',
    },
    {
      name: 'seven stop sequences',
      fields: { stop_sequences: [...'abcdefg'] },
      param: 'stop_sequences',
      code: 'unsupported_parameter',
    },
    { name: 'a blank stop sequence', fields: { stop_sequences: [' '] }, param: 'stop_sequences.0' },
    { name: 'a temperature out of range', fields: { temperature: 1.5 }, param: 'temperature' },
    {
      name: 'a budget as large as the limit',
      fields: { max_tokens: 1_024, thinking: { type: 'enabled', budget_tokens: 1_024 } },
      param: 'thinking.budget_tokens',
    },
    {
      name: "OpenAI's response_format",
      fields: { response_format: { type: 'json_object' } },
      param: 'response_format',
      code: 'unsupported_parameter',
    },
    { name: "OpenAI's n", fields: { n: 2 }, param: 'n', code: 'unsupported_parameter' },
    {
      name: "Gemini's generationConfig",
      fields: { generationConfig: { topK: 1 } },
      param: 'generationConfig',
      code: 'unsupported_parameter',
    },
  ],
  hugeImage: (base64) => ({
    fields: { messages: [imageBlock('image/png', base64)] },
    param: 'messages.0.content.0.source.data',
  }),
  readError: ({ error }) => [error?.code, error?.param],
};

export const GEMINI: BadRequests = {
  dialect: 'Gemini',
  path: (model) => `/v1beta/models/${model}:generateContent`,
  least: () => ({ contents: [{ parts: [{ text: 'Hi' }] }] }),
  cases: [
    { name: 'no contents', fields: { contents: [] }, param: 'contents' },
    {
      name: 'an unknown role',
      fields: { contents: [{ role: 'assistant', parts: [{ text: 'Hi' }] }] },
      param: 'contents.0.role',
    },
    { name: 'no parts', fields: { contents: [{ role: 'user', parts: [] }] }, param: 'contents.0.parts' },
    {
      name: 'an unknown kind of part',
      fields: { contents: [{ parts: [{ smell: 'x' }] }] },
      param: 'contents.0.parts.0.smell',
      code: 'unsupported_parameter',
    },
    {
      name: 'a part of two kinds',
      fields: { contents: [{ parts: [{ text: 'a', inlineData: { mimeType: 'image/png', data: IMAGE } }] }] },
      param: 'contents.0.parts.0.inlineData',
    },
    {
      name: 'a result of no call',
      fields: { contents: [{ parts: [{ functionResponse: { name: 'f', response: {} } }] }] },
      param: 'contents.0.parts.0.functionResponse.name',
    },
    {
      name: 'an image of another type',
      fields: { contents: [imageContent('image/tiff', IMAGE)] },
      param: 'contents.0.parts.0.inlineData.mimeType',
    },
    {
      name: 'a schema too deep',
      fields: { tools: [{ functionDeclarations: [{ name: 'f', parametersJsonSchema: DEEP }] }] },
      param: 'tools.0.functionDeclarations.0.parametersJsonSchema',
    },
    {
      name: 'a type that is none',
      fields: { tools: [{ functionDeclarations: [{ name: 'f', parameters: { type: 'BLOB' } }] }] },
      param: 'tools.0.functionDeclarations.0.parameters.type',
    },
    {
      name: 'nine answers',
      fields: { generationConfig: { candidateCount: 9 } },
      param: 'generationConfig.candidateCount',
    },
    {
      name: 'too many stop sequences',
      fields: { generationConfig: { stopSequences: [...'abcdef'] } },
      param: 'generationConfig.stopSequences',
    },
    {
      name: 'a schema without its media type',
      fields: { generationConfig: { responseJsonSchema: {} } },
      param: 'generationConfig.responseMimeType',
    },
    {
      name: 'one field in two spellings',
      fields: { generationConfig: { topP: 1, top_p: 1 } },
      param: 'generationConfig.topP',
    },
    { name: "OpenAI's messages", fields: { messages: [] }, param: 'messages', code: 'unsupported_parameter' },
    {
      name: "Anthropic's max_tokens",
      fields: { max_tokens: 5 },
      param: 'maxTokens',
      code: 'unsupported_parameter',
    },
  ],
  hugeImage: (base64) => ({
    fields: { contents: [imageContent('image/png', base64)] },
    param: 'contents.0.parts.0.inlineData.data',
  }),
  readError: ({ error }) => [error?.details?.[0]?.reason, error?.details?.[0]?.metadata?.param],
};

function imageMessage(url: string): object {
  return { role: 'user', content: [{ type: 'image_url', image_url: { url } }] };
}

function imageBlock(mediaType: string, data: string): object {
  return {
    role: 'user',
    content: [{ type: 'image', source: { type: 'base64', media_type: mediaType, data } }],
  };
}

function imageContent(mimeType: string, data: string): object {
  return { parts: [{ inlineData: { mimeType, data } }] };
}

function tool(name: string): object {
  return { name, input_schema: { type: 'object' } };
}
