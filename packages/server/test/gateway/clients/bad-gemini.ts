/** Test support: bad requests to Gemini. */
import { type BadRequests, DEEP } from './bad-requests.ts';
import { IMAGE } from './client.ts';

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
      fields: { generationConfig: { stopSequences: ['a', 'b', 'c', 'd', 'e', 'f'] } },
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

function imageContent(mimeType: string, data: string): object {
  return { parts: [{ inlineData: { mimeType, data } }] };
}
