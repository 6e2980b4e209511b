/**
 * Assembles the sandbox: a provider without any upstream that answers in the wire format it is asked in, always the
 * same for the same body, so that the whole path of a call can be tried without an account.
 */
import { anthropic } from '../anthropic/provider.ts';
import { openAiCompatible } from '../openai-compatible/provider.ts';
import { DIALECTS, type Endpoint, type LocalAnswer, type ModelCall, type Provider } from '../provider.ts';
import { answerImages, answerModerations, answerSpeech, answerTranscription } from './answer-media.ts';
import { answerMessages } from './answer-messages.ts';
import { answer } from './answer.ts';

export const SANDBOX_ID = 'sandbox';

/** Of what is no prompt to be repeated, or is asked in another dialect. */
const ANSWERS: Readonly<Partial<Record<Endpoint, (call: ModelCall) => LocalAnswer>>> = {
  messages: answerMessages,
  'messages.count_tokens': answerMessages,
  'images.generations': answerImages,
  'audio.speech': answerSpeech,
  'audio.transcriptions': answerTranscription,
  'audio.translations': answerTranscription,
  moderations: answerModerations,
};

export const sandbox: Provider = {
  id: SANDBOX_ID,
  dialects: ['openai', 'anthropic'],
  endpoints: [
    'chat.completions',
    'completions',
    'embeddings',
    'images.generations',
    'audio.speech',
    'audio.transcriptions',
    'audio.translations',
    'moderations',
    'messages',
    'messages.count_tokens',
  ],
  buildRequest: () => {
    throw new TypeError('the sandbox has no upstream');
  },
  readUsage: (endpoint, body) =>
    isAnthropic(endpoint) ? anthropic.readUsage(endpoint, body) : openAiCompatible.readUsage(endpoint, body),
  createStreamTap: (call) =>
    isAnthropic(call.endpoint) ? anthropic.createStreamTap(call) : openAiCompatible.createStreamTap(call),
  classifyFailure: () => ({ kind: 'request', retry: 'never' }),
  answer: (call) => (ANSWERS[call.endpoint] ?? answer)(call),
};

function isAnthropic(endpoint: Endpoint): boolean {
  return DIALECTS[endpoint] === 'anthropic';
}
