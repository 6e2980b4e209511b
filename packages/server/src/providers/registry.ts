/** Responsible for which providers there are. */
import { anthropic } from './anthropic/provider.ts';
import { deepseek } from './deepseek/provider.ts';
import { gemini } from './gemini/provider.ts';
import { openAiCompatible } from './openai-compatible/provider.ts';
import { openai } from './openai/provider.ts';
import type { Provider } from './provider.ts';
import { sandbox } from './sandbox/provider.ts';

const PROVIDERS: ReadonlyMap<string, Provider> = new Map(
  [openai, anthropic, gemini, deepseek, openAiCompatible, sandbox].map((provider) => [provider.id, provider]),
);

export function findProvider(id: string): Provider | undefined {
  return PROVIDERS.get(id);
}
