/** Responsible for which providers there are. */
import { createOpenAiCompatible } from './openai-compatible/provider.ts';
import type { Provider } from './provider.ts';
import { sandbox } from './sandbox/provider.ts';

const PROVIDERS: ReadonlyMap<string, Provider> = new Map(
  [
    createOpenAiCompatible({ id: 'openai', chatLimitField: 'max_completion_tokens' }),
    // The older name is the one that every compatible server knows.
    createOpenAiCompatible({ id: 'openai-compatible', chatLimitField: 'max_tokens' }),
    sandbox,
  ].map((provider) => [provider.id, provider]),
);

export function findProvider(id: string): Provider | undefined {
  return PROVIDERS.get(id);
}
