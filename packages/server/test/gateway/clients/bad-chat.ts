/** Test support: bad requests for chat completions. */
import { type BadRequests, DEEP, USER } from './bad-requests.ts';
import { IMAGE } from './client.ts';

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

function imageMessage(url: string): object {
  return { role: 'user', content: [{ type: 'image_url', image_url: { url } }] };
}
