/** Assembles the provider for OpenAI itself. */
import { listModels } from '../openai-compatible/list-models.ts';
import type { Provider } from '../provider.ts';
import { buildRequest } from './build-request.ts';
import { classifyFailure } from './classify-failure.ts';
import { readBodyUsage } from './map-usage.ts';
import { createStreamTap } from './usage-tap.ts';

export const openai: Provider = {
  id: 'openai',
  dialects: ['openai'],
  endpoints: [
    'chat.completions',
    'completions',
    'embeddings',
    'responses',
    'images.generations',
    'audio.speech',
    'audio.transcriptions',
    'audio.translations',
    'moderations',
  ],
  buildRequest,
  readUsage: readBodyUsage,
  createStreamTap,
  classifyFailure,
  models: listModels,
};
