/** For tests: what a client sends, as a dialect is given it, and rich chats, answers and streams. */
import assert from 'node:assert/strict';
import { Denial } from '../../kernel/denial.ts';
import { JsonObjectScan, scanJsonObject } from '../../kernel/json-scan.ts';
import type { ChatAnswer, ChatEvent, ChatRequest, Turn } from '../chat.ts';
import type { AnswerContext, SentChat } from '../dialect.ts';
import { readRequest } from './read-request.ts';
import { SETTING_NAMES } from './read-settings.ts';

export const CONTEXT: AnswerContext = {
  requestId: 'req-1',
  model: 'gemini-asked',
  createdAtS: 1_700_000_000,
  wantsUsage: false,
};

export function sent(body: string | Buffer, streamed = false): SentChat {
  const scan = scanJsonObject(Buffer.from(body.toString()));
  assert.ok(scan instanceof JsonObjectScan, 'the body must be JSON');
  return { endpoint: streamed ? 'streamGenerateContent' : 'generateContent', scan, streamed };
}

export function read(body: unknown): ChatRequest {
  const chat = readRequest(sent(JSON.stringify(body)));
  assert.ok(!(chat instanceof Denial), chat instanceof Denial ? (chat.detail.message ?? '') : '');
  return chat;
}

/** The code of the refusal and the field that it names. */
export function refusal(result: unknown): string {
  assert.ok(result instanceof Denial, 'must be refused');
  return `${result.code} ${result.detail.param}`;
}

export function refuse(body: unknown): string {
  return refusal(readRequest(sent(JSON.stringify(body))));
}

export function chatOf(changes: Partial<ChatRequest> = {}): ChatRequest {
  return {
    system: [],
    turns: [ask('Hi')],
    tools: [],
    settings: {},
    names: SETTING_NAMES,
    streamed: false,
    ...changes,
  };
}

export function ask(text: string): Turn {
  return { role: 'user', parts: [{ kind: 'text', text, at: 'messages.0' }], at: 'messages.0' };
}

export const ANSWER: ChatAnswer = {
  id: 'answer-1',
  model: 'gemini-3-fixture',
  choices: [
    {
      parts: [
        { kind: 'reasoning', text: '**Weighing** "it"', at: '' },
        { kind: 'text', text: 'Naïve 🙂\n', signature: { by: 'gemini', value: 'c2lnbmF0dXJl' }, at: '' },
        {
          kind: 'tool_call',
          id: 'call_1',
          name: 'lookup',
          argumentsJson: '{"id":9007199254740993,"deep":{"list":[1.5,null]}}',
          signature: { by: 'gemini', value: 'AAAA' },
          at: '',
        },
        { kind: 'tool_call', id: 'call_2', name: 'now', argumentsJson: '{}', at: '' },
      ],
      stop: { reason: 'tool_calls' },
    },
    {
      parts: [{ kind: 'text', text: 'Cut', at: '' }],
      stop: { reason: 'length' },
      logprobs: [{ token: 'Cut', logprob: -0.5, alternatives: [{ token: 'Cat', logprob: -1.25 }] }],
    },
    { parts: [], stop: { reason: 'filter' } },
  ],
  usage: { inputTokens: 7, cachedInputTokens: 3, cacheWriteTokens: 0, outputTokens: 11, reasoningTokens: 5 },
};

/** The same answer as another vendor's model may stream it. */
export const EVENTS: readonly ChatEvent[] = [
  { kind: 'start', id: 'answer-1', model: 'gemini-3-fixture' },
  { kind: 'reasoning', choice: 0, text: '**Weighing** ' },
  { kind: 'reasoning', choice: 0, text: '"it"' },
  { kind: 'signature', choice: 0, signature: { by: 'anthropic', value: 'EqQB/+==' } },
  { kind: 'signature', choice: 0, signature: { by: 'anthropic', value: 'redacted+' }, isRedacted: true },
  { kind: 'text', choice: 0, text: 'Naïve 🙂\n' },
  { kind: 'text', choice: 1, text: 'Other' },
  { kind: 'signature', choice: 0, signature: { by: 'gemini', value: 'c2lnbmF0dXJl' } },
  {
    kind: 'tool_call',
    choice: 0,
    id: 'call_1',
    name: 'lookup',
    signature: { by: 'openai', value: 'sig' },
  },
  { kind: 'tool_arguments', choice: 0, json: '{"id":9007' },
  { kind: 'tool_arguments', choice: 0, json: '199254740993}' },
  { kind: 'tool_call', choice: 0, id: 'call_2', name: 'now' },
  { kind: 'logprobs', choice: 1, tokens: [{ token: 'Other', logprob: -0.1, alternatives: [] }] },
  { kind: 'stop', choice: 0, stop: { reason: 'tool_calls' } },
  { kind: 'stop', choice: 1, stop: { reason: 'end' } },
  {
    kind: 'usage',
    usage: { inputTokens: 1, cachedInputTokens: 0, cacheWriteTokens: 0, outputTokens: 2, reasoningTokens: 3 },
  },
  { kind: 'end' },
];
