/** Test support: the clients of the matrix. */
import { aiAnthropic, aiGoogle, aiOpenAiChat, aiOpenAiResponses } from './ai-sdk.ts';
import { anthropicMessages } from './anthropic.ts';
import type { ClientKind } from './client.ts';
import { googleGenAi } from './google.ts';
import { openaiResponses } from './openai-responses.ts';
import { openaiChat } from './openai.ts';

export const CLIENTS: readonly ClientKind[] = [
  openaiChat,
  openaiResponses,
  anthropicMessages,
  googleGenAi,
  aiOpenAiChat,
  aiOpenAiResponses,
  aiAnthropic,
  aiGoogle,
];
