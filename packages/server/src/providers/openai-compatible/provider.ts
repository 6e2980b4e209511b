/** Assembles the provider for servers that speak OpenAI's wire format, each in its own way: vLLM, Ollama and many more. */
import type { Provider } from '../provider.ts';
import { buildRequest } from './build-request.ts';
import { classifyFailure } from './classify-failure.ts';
import { listModels } from './list-models.ts';
import { readBodyUsage } from './map-usage.ts';
import { hasTypedEvents, TypedEventsTap } from './typed-events-tap.ts';
import { OpenAiStreamTap } from './usage-tap.ts';

/**
 * What gateways take beside `model`: other models to fall back to, of whom to buy, what to run beside the model, settings
 * that are kept there, or fields that replace those of the body (OpenRouter's "Models & Routing", LiteLLM's "Client-Side
 * Fallbacks", Vercel's "AI Gateway").
 */
const REROUTING = [
  'models',
  'fallbacks',
  'context_window_fallbacks',
  'content_policy_fallbacks',
  'route',
  'provider',
  'providerOptions',
  'plugins',
  'preset',
  'extra_body',
] as const;

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
  rerouting: REROUTING,
  buildRequest,
  readUsage: readBodyUsage,
  createStreamTap: (call) =>
    hasTypedEvents(call.endpoint) ? new TypedEventsTap(call.endpoint) : new OpenAiStreamTap(call),
  classifyFailure,
  models: listModels,
};
