import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Denial } from '../../kernel/denial.ts';
import type { ChatAnswer, ChatRequest } from '../chat.ts';
import { geminiClient, geminiProvider } from './dialect.ts';
import { ANSWER, ask, chatOf, CONTEXT, sent } from './test-chats.ts';

/** Without where things stand, which is the client's. */
function withoutPlaces(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, item: unknown) => (key === 'at' || key === 'names' ? undefined : item)),
  );
}

function roundTrip(chat: ChatRequest, model = 'gemini-3-flash-preview'): unknown {
  const body = geminiProvider.writeRequest(chat, model);
  assert.ok(!(body instanceof Denial), body instanceof Denial ? (body.detail.message ?? '') : '');
  return withoutPlaces(geminiClient.readRequest(sent(body, chat.streamed)));
}

const SIGNATURE = { by: 'gemini', value: 'AAAA' } as const;
const LONG: ChatRequest = chatOf({
  streamed: true,
  system: [
    { kind: 'text', text: 'Be brief.', at: '' },
    { kind: 'text', text: 'Be kind.', at: '' },
  ],
  tools: [
    {
      name: 'f',
      description: 'd',
      schema: { type: 'object', properties: { a_b: { type: 'string' } } },
      isStrict: true,
      at: '',
    },
  ],
  turns: [
    {
      role: 'user',
      parts: [
        { kind: 'text', text: 'What is "this"? 🙂', at: '' },
        { kind: 'image', source: { kind: 'data', mediaType: 'image/webp', base64: 'AA==' }, at: '' },
        { kind: 'audio', source: { kind: 'data', mediaType: 'audio/mp3', base64: 'AAAA' }, at: '' },
        {
          kind: 'file',
          source: { kind: 'url', url: 'https://a.example/b', mediaType: 'application/pdf' },
          name: 'b',
          at: '',
        },
      ],
      at: '',
    },
    {
      role: 'assistant',
      parts: [
        { kind: 'reasoning', text: 'Hm', at: '' },
        { kind: 'text', text: 'Let me look.', signature: SIGNATURE, at: '' },
        { kind: 'tool_call', id: 'a', name: 'f', argumentsJson: '{"a_b":"x"}', signature: SIGNATURE, at: '' },
        { kind: 'tool_call', id: 'b', name: 'f', argumentsJson: '{}', at: '' },
      ],
      at: '',
    },
    {
      role: 'user',
      parts: [
        {
          kind: 'tool_result',
          callId: 'b',
          content: [{ kind: 'text', text: '{"n":12345678901234567890}', at: '' }],
          isError: false,
          at: '',
        },
        {
          kind: 'tool_result',
          callId: 'a',
          content: [
            { kind: 'text', text: 'broken', at: '' },
            { kind: 'image', source: { kind: 'data', mediaType: 'image/png', base64: 'AAAA' }, at: '' },
          ],
          isError: true,
          at: '',
        },
      ],
      at: '',
    },
    ask('And?'),
  ],
  settings: {
    outputTokensMax: 1,
    temperature: 0,
    topP: 1,
    topK: 1,
    frequencyPenalty: 0,
    presencePenalty: 0.5,
    seed: 0,
    stop: ['\n'],
    choices: 2,
    logprobs: 3,
    output: { kind: 'schema', schema: { type: 'object', additionalProperties: false } },
    reasoning: { effort: 'low', isShown: true },
    toolChoice: { kind: 'auto' },
  },
});

describe('a chat that is written and read again is the same', () => {
  test('with everything in it', () => assert.deepEqual(roundTrip(LONG), withoutPlaces(LONG)));

  test('with the reasoning of an earlier model', () => {
    const chat = chatOf({ settings: { reasoning: { isAdaptive: true, isShown: false } } });
    assert.deepEqual(roundTrip(chat, 'gemini-2.5-flash'), withoutPlaces(chat));
  });

  test('whatever a tool says, and however it was called', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), fc.jsonValue(), fc.boolean(), (text, value, isError) => {
        fc.pre(text !== '');
        const argumentsJson = JSON.stringify({ value });
        fc.pre(!/__proto__|constructor|prototype/.test(argumentsJson + text) && text.isWellFormed());
        const chat = chatOf({
          turns: [
            ask('x'),
            {
              role: 'assistant',
              parts: [{ kind: 'tool_call', id: 'a', name: 'f', argumentsJson, signature: SIGNATURE, at: '' }],
              at: '',
            },
            {
              role: 'user',
              parts: [
                {
                  kind: 'tool_result',
                  callId: 'a',
                  content: [{ kind: 'text', text, at: '' }],
                  isError,
                  at: '',
                },
              ],
              at: '',
            },
          ],
        });
        assert.deepEqual(roundTrip(chat), withoutPlaces(chat));
      }),
    );
  });
});

test('an answer that is written and read again is the same', () => {
  const answer: ChatAnswer | undefined = geminiProvider.readAnswer(geminiClient.writeAnswer(ANSWER, CONTEXT));
  assert.deepEqual(answer, ANSWER);
});

test('a chat goes to the method for its way of answering', () => {
  assert.equal(geminiProvider.endpointFor(chatOf()), 'generateContent');
  assert.equal(geminiProvider.endpointFor(chatOf({ streamed: true })), 'streamGenerateContent');
});
