/** Assembles the provider for servers that speak OpenAI's wire format: OpenAI itself, vLLM, Ollama and many more. */
import type { Provider } from '../provider.ts';
import { buildRequest, type ChatLimitField } from './build-request.ts';
import { classifyFailure } from './classify-failure.ts';
import { readBodyUsage } from './map-usage.ts';
import { OpenAiStreamTap } from './usage-tap.ts';

export interface OpenAiCompatibleOptions {
  readonly id: string;
  readonly chatLimitField: ChatLimitField;
}

export function createOpenAiCompatible({ id, chatLimitField }: OpenAiCompatibleOptions): Provider {
  return {
    id,
    buildRequest: (call, secret) => buildRequest(call, secret, chatLimitField),
    readUsage: readBodyUsage,
    createStreamTap: (call) => new OpenAiStreamTap(call),
    classifyFailure,
  };
}
