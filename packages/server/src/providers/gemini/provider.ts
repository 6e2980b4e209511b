/** Assembles the provider for Google's own wire format, the Gemini API (`generateContent`), passed through as it is. */
import type { Provider } from '../provider.ts';
import { buildRequest } from './build-request.ts';
import { classifyFailure } from './classify-failure.ts';
import { listModels } from './list-models.ts';
import { readBodyUsage } from './map-usage.ts';
import { GeminiStreamTap } from './usage-tap.ts';

export const gemini: Provider = {
  id: 'gemini',
  dialects: ['gemini'],
  endpoints: [
    'generateContent',
    'streamGenerateContent',
    'countTokens',
    'embedContent',
    'batchEmbedContents',
  ],
  buildRequest,
  readUsage: readBodyUsage,
  createStreamTap: () => new GeminiStreamTap(),
  classifyFailure,
  models: listModels,
};
