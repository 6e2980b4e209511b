/** Assembles the provider for Anthropic's own wire format, the Messages API, passed through as it is. */
import type { Provider } from '../provider.ts';
import { buildRequest } from './build-request.ts';
import { classifyFailure } from './classify-failure.ts';
import { listModels } from './list-models.ts';
import { readBodyUsage } from './map-usage.ts';
import { AnthropicStreamTap } from './usage-tap.ts';

export const anthropic: Provider = {
  id: 'anthropic',
  dialects: ['anthropic'],
  endpoints: ['messages', 'messages.count_tokens'],
  buildRequest,
  readUsage: readBodyUsage,
  createStreamTap: () => new AnthropicStreamTap(),
  classifyFailure,
  models: listModels,
};
