/** Test support: bad requests to OpenAI's Responses. */
import { type BadRequests, DEEP, USER } from './bad-requests.ts';
import { IMAGE } from './client.ts';

export const RESPONSES: BadRequests = {
  dialect: 'Responses',
  path: () => '/v1/responses',
  least: (model) => ({ model, input: 'Hi', store: false }),
  cases: [
    { name: 'no items', fields: { input: [] }, param: 'input' },
    { name: 'an unknown role', fields: { input: [{ role: 'god', content: 'Hi' }] }, param: 'input.0.role' },
    { name: 'no content', fields: { input: [{ role: 'user' }] }, param: 'input.0.content' },
    {
      name: 'an unknown type of item',
      fields: { input: [{ type: 'smell' }] },
      param: 'input.0.type',
      code: 'unsupported_parameter',
    },
    {
      name: 'an unknown type of part',
      fields: { input: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }] },
      param: 'input.0.content.0.type',
    },
    {
      name: 'a result of no call',
      fields: { input: [USER, { type: 'function_call_output', call_id: 'call_1', output: 'x' }] },
      param: 'input.1.call_id',
    },
    {
      name: 'arguments that are no object',
      fields: { input: [USER, { type: 'function_call', call_id: 'a', name: 'f', arguments: '[1]' }] },
      param: 'input.1.arguments',
    },
    {
      name: 'an image of another type',
      fields: { input: [imageItem(`data:image/tiff;base64,${IMAGE}`)] },
      param: 'input.0.content.0.image_url',
    },
    {
      name: 'a schema too deep',
      fields: { tools: [{ type: 'function', name: 'f', parameters: DEEP }] },
      param: 'tools.0.parameters',
    },
    { name: 'a temperature out of range', fields: { temperature: 3 }, param: 'temperature' },
    {
      name: 'what OpenAI stores',
      fields: { previous_response_id: 'resp_1' },
      param: 'previous_response_id',
      code: 'unsupported_parameter',
    },
    {
      name: "chat completions' messages",
      fields: { messages: [USER] },
      param: 'messages',
      code: 'unsupported_parameter',
    },
    { name: "chat completions' n", fields: { n: 2 }, param: 'n', code: 'unsupported_parameter' },
    { name: "Anthropic's system", fields: { system: 'x' }, param: 'system', code: 'unsupported_parameter' },
  ],
  hugeImage: (base64) => ({
    fields: { input: [imageItem(`data:image/png;base64,${base64}`)] },
    param: 'input.0.content.0.image_url',
  }),
  readError: ({ error }) => [error?.code, error?.param],
};

function imageItem(image_url: string): object {
  return { role: 'user', content: [{ type: 'input_image', image_url }] };
}
