/** For tests: an answer with every kind of part, in an order that the Responses API can tell. */
import type { AssistantPart, ChatAnswer } from '../chat.ts';
import { answerOf, called, said, SIGNED } from '../openai/test-answers.ts';

export const RICH_PARTS: readonly AssistantPart[] = [
  { kind: 'reasoning', at: '', text: 'Hm, 言葉.', signature: SIGNED },
  { kind: 'reasoning', at: '', text: '', signature: { by: 'anthropic', value: 'r' }, isRedacted: true },
  said('Let me see.'),
  called('call_1', 'f', '{"a":12345678901234567890}'),
  { kind: 'reasoning', at: '', text: 'Again.' },
  { kind: 'text', at: '', text: 'Also.', signature: { by: 'gemini', value: 't' } },
  {
    kind: 'tool_call',
    at: '',
    id: 'call_2',
    name: 'g',
    argumentsJson: '{}',
    signature: { by: 'gemini', value: 'c' },
  },
];

export const RICH: ChatAnswer = answerOf({ parts: RICH_PARTS, stop: { reason: 'tool_calls' } });
