/** Responsible for which dialects a chat can be translated between. */
import type { Dialect, Endpoint } from '../providers/provider.ts';
import { anthropicClient, anthropicProvider } from './anthropic/dialect.ts';
import type { ClientDialect, ProviderDialect } from './dialect.ts';
import { geminiClient, geminiProvider } from './gemini/dialect.ts';
import { openaiClient, openaiProvider } from './openai/dialect.ts';
import { responsesClient } from './responses/dialect.ts';

const CLIENTS: ReadonlyMap<Endpoint, ClientDialect> = new Map<Endpoint, ClientDialect>([
  ['chat.completions', openaiClient],
  ['responses', responsesClient],
  ['messages', anthropicClient],
  ['generateContent', geminiClient],
  ['streamGenerateContent', geminiClient],
]);

const PROVIDERS: Readonly<Record<Dialect, ProviderDialect>> = {
  openai: openaiProvider,
  anthropic: anthropicProvider,
  gemini: geminiProvider,
};

/** `undefined` for endpoints that are no chats: nothing is translated from them. */
export function findClientDialect(endpoint: Endpoint): ClientDialect | undefined {
  return CLIENTS.get(endpoint);
}

export function providerDialect(dialect: Dialect): ProviderDialect {
  return PROVIDERS[dialect];
}
