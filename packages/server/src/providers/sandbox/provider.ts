/**
 * Assembles the sandbox: a provider without any upstream that answers in OpenAI's wire format, always the same for the
 * same body, so that the whole path of a call can be tried without an account.
 */
import { readBodyUsage } from '../openai-compatible/map-usage.ts';
import { OpenAiStreamTap } from '../openai-compatible/usage-tap.ts';
import type { Provider } from '../provider.ts';
import { answer } from './answer.ts';

export const SANDBOX_ID = 'sandbox';

export const sandbox: Provider = {
  id: SANDBOX_ID,
  buildRequest: () => {
    throw new TypeError('the sandbox has no upstream');
  },
  readUsage: readBodyUsage,
  createStreamTap: (call) => new OpenAiStreamTap(call),
  classifyFailure: () => ({ kind: 'request', retry: 'never' }),
  answer,
};
