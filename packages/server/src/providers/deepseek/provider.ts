/** Assembles the provider for DeepSeek. */
import { listModels } from '../openai-compatible/list-models.ts';
import type { Provider } from '../provider.ts';
import { buildRequest } from './build-request.ts';
import { classifyFailure } from './classify-failure.ts';
import { readBodyUsage } from './map-usage.ts';
import { createStreamTap } from './usage-tap.ts';

export const deepseek: Provider = {
  id: 'deepseek',
  dialects: ['openai'],
  endpoints: ['chat.completions', 'completions'],
  buildRequest,
  readUsage: readBodyUsage,
  createStreamTap,
  classifyFailure,
  models: listModels,
};
