/** Assembles the provider for servers that speak OpenAI's wire format, each in its own way: vLLM, Ollama and many more. */
import type { Provider } from '../provider.ts';
import { buildRequest } from './build-request.ts';
import { classifyFailure } from './classify-failure.ts';
import { listModels } from './list-models.ts';
import { readBodyUsage } from './map-usage.ts';
import { hasTypedEvents, TypedEventsTap } from './typed-events-tap.ts';
import { OpenAiStreamTap } from './usage-tap.ts';

export const openAiCompatible: Provider = {
  id: 'openai-compatible',
  dialects: ['openai'],
  endpoints: [
    'chat.completions',
    'completions',
    'embeddings',
    'images.generations',
    'audio.speech',
    'audio.transcriptions',
    'audio.translations',
    'moderations',
  ],
  buildRequest,
  readUsage: readBodyUsage,
  createStreamTap: (call) =>
    hasTypedEvents(call.endpoint) ? new TypedEventsTap(call.endpoint) : new OpenAiStreamTap(call),
  classifyFailure,
  models: listModels,
};
