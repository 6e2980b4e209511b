/** Test support: bad requests to Anthropic's Messages. */
import { type BadRequests, DEEP, USER } from './bad-requests.ts';
import { IMAGE } from './client.ts';

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
      fields: { stop_sequences: ['a', 'b', 'c', 'd', 'e', 'f', 'g'] },
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

function imageBlock(mediaType: string, data: string): object {
  return {
    role: 'user',
    content: [{ type: 'image', source: { type: 'base64', media_type: mediaType, data } }],
  };
}

function tool(name: string): object {
  return { name, input_schema: { type: 'object' } };
}
