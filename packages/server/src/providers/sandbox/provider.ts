/**
 * Assembles the sandbox: a provider without any upstream that answers in the wire format it is asked in, always the
 * same for the same body, so that the whole path of a call can be tried without an account.
 */
import { anthropic } from '../anthropic/provider.ts';
import { readBodyUsage } from '../openai-compatible/map-usage.ts';
import { OpenAiStreamTap } from '../openai-compatible/usage-tap.ts';
import { DIALECTS, type Endpoint, type Provider } from '../provider.ts';
import { answerMessages } from './answer-messages.ts';
import { answer } from './answer.ts';

export const SANDBOX_ID = 'sandbox';

export const sandbox: Provider = {
  id: SANDBOX_ID,
  dialects: ['openai', 'anthropic'],
  endpoints: ['chat.completions', 'completions', 'embeddings', 'messages', 'messages.count_tokens'],
  buildRequest: () => {
    throw new TypeError('the sandbox has no upstream');
  },
  readUsage: (endpoint, body) =>
    isAnthropic(endpoint) ? anthropic.readUsage(endpoint, body) : readBodyUsage(endpoint, body),
  createStreamTap: (call) =>
    isAnthropic(call.endpoint) ? anthropic.createStreamTap(call) : new OpenAiStreamTap(call),
  classifyFailure: () => ({ kind: 'request', retry: 'never' }),
  answer: (call) => (isAnthropic(call.endpoint) ? answerMessages(call) : answer(call)),
};

function isAnthropic(endpoint: Endpoint): boolean {
  return DIALECTS[endpoint] === 'anthropic';
}
