import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Denial } from '../../kernel/denial.ts';
import { JsonRefusal, scanJsonObject } from '../../kernel/json-scan.ts';
import type { ChatAnswer, ChatEvent, ChatRequest, Choice, Settings, Signature, Turn } from '../chat.ts';
import type { AnswerContext } from '../dialect.ts';
import { anthropicClient, anthropicProvider } from './dialect.ts';

const MODEL = 'claude-sonnet-4-6';
const CONTEXT: AnswerContext = { requestId: 'req_1', model: 'm', createdAtS: 1, wantsUsage: false };
const own: Signature = { by: 'anthropic', value: 'c2lnbmVk' };
const foreign: Signature = { by: 'gemini', value: 'Z2Vt+/=' };
const PIXEL = 'iVBORw0KGgo=';

const hello: Turn = { role: 'user', at: 'a', parts: [{ kind: 'text', at: 'a', text: 'Hello' }] };
const rich: readonly Turn[] = [
  {
    role: 'user',
    at: 'a',
    parts: [
      { kind: 'text', at: 'a', text: 'What is — 言葉?' },
      { kind: 'image', at: 'a', source: { kind: 'data', mediaType: 'image/png', base64: PIXEL } },
      { kind: 'image', at: 'a', source: { kind: 'url', url: 'https://example.com/a.png' } },
      { kind: 'file', at: 'a', source: { kind: 'data', mediaType: 'application/pdf', base64: 'JVBERi0=' } },
      {
        kind: 'file',
        at: 'a',
        name: 'notes',
        source: { kind: 'data', mediaType: 'text/plain', base64: 'w6k=' },
      },
      {
        kind: 'file',
        at: 'a',
        source: { kind: 'url', url: 'https://example.com/a.pdf', mediaType: 'application/pdf' },
      },
    ],
  },
  {
    role: 'assistant',
    at: 'a',
    parts: [
      { kind: 'reasoning', at: 'a', text: 'I shall look.', signature: own },
      { kind: 'reasoning', at: 'a', text: '', signature: own },
      { kind: 'reasoning', at: 'a', text: '', signature: own, isRedacted: true },
      { kind: 'text', at: 'a', text: 'Let me look.' },
      {
        kind: 'tool_call',
        at: 'a',
        id: 'call_1',
        name: 'look',
        argumentsJson: '{"id":12345678901234567890}',
      },
      { kind: 'tool_call', at: 'a', id: 'call_2', name: 'look', argumentsJson: '{}' },
    ],
  },
  {
    role: 'user',
    at: 'a',
    parts: [
      {
        kind: 'tool_result',
        at: 'a',
        callId: 'call_1',
        isError: true,
        content: [
          { kind: 'text', at: 'a', text: 'no' },
          { kind: 'image', at: 'a', source: { kind: 'data', mediaType: 'image/gif', base64: PIXEL } },
        ],
      },
      { kind: 'tool_result', at: 'a', callId: 'call_2', isError: false, content: [] },
      { kind: 'text', at: 'a', text: 'Go on.' },
    ],
  },
];
const schema = { type: 'object', properties: { id: { type: 'integer', maximum: 1e21 } } };
const tools: ChatRequest['tools'] = [
  { at: 'a', name: 'look', description: 'Looks.', schema, isStrict: true },
  { at: 'a', name: 'plain-tool', schema: { type: 'object' } },
];

function chatOf(turns: readonly Turn[], settings: Settings, more: Partial<ChatRequest> = {}): ChatRequest {
  return {
    system: [],
    turns,
    tools: [],
    settings,
    names: {} as ChatRequest['names'],
    streamed: false,
    ...more,
  };
}

const CHATS: Readonly<Record<string, ChatRequest>> = {
  'the least': chatOf([hello], {}),
  'every part and tool': chatOf(rich, { outputTokensMax: 5 }, { tools, streamed: true }),
  'a system prompt': chatOf([hello], {}, { system: [{ kind: 'text', at: 'a', text: 'Be brief.' }] }),
  sampling: chatOf([hello], { temperature: 0.5, topK: 3, stop: ['a', 'b'], userId: 'u' }),
  'top p': chatOf([hello], { topP: 0.5 }),
  'a schema': chatOf([hello], { output: { kind: 'schema', schema, isStrict: true } }),
  'a budget': chatOf([hello], { outputTokensMax: 2000, reasoning: { tokensMax: 1024, isShown: true } }),
  'a budget and an effort': chatOf([hello], { reasoning: { tokensMax: 1024, effort: 'low' } }),
  'an effort': chatOf([hello], { reasoning: { effort: 'max', isShown: false } }),
  'no effort': chatOf([hello], { reasoning: { effort: 'none' } }),
  adaptive: chatOf([hello], { reasoning: { isAdaptive: true } }),
  'any tool': chatOf([hello], { toolChoice: { kind: 'required' } }, { tools }),
  'no tool': chatOf([hello], { toolChoice: { kind: 'none' } }, { tools }),
  'one tool': chatOf(
    [hello],
    { toolChoice: { kind: 'named', names: ['look'] }, isParallelToolUseAllowed: false },
    { tools },
  ),
  'tools in parallel': chatOf(
    [hello],
    { toolChoice: { kind: 'auto' }, isParallelToolUseAllowed: true },
    { tools },
  ),
};

function readBack(body: Buffer, streamed: boolean): ChatRequest {
  const scan = scanJsonObject(body);
  assert.ok(!(scan instanceof JsonRefusal));
  const chat = anthropicClient.readRequest({ endpoint: 'messages', scan, streamed });
  assert.ok(!(chat instanceof Denial), JSON.stringify(chat));
  return chat;
}

/** Where things stand, and what they are called, is not what they say. */
function withoutPlaces(value: unknown): unknown {
  const drop = (key: string, inner: unknown) => (key === 'at' || key === 'names' ? undefined : inner);
  return JSON.parse(JSON.stringify(value, drop));
}

describe("a chat in Anthropic's dialect and back", () => {
  for (const [name, chat] of Object.entries(CHATS)) {
    test(`${name} is the same`, () => {
      const body = anthropicProvider.writeRequest(chat, MODEL);
      assert.ok(!(body instanceof Denial), JSON.stringify(body));
      assert.deepEqual(withoutPlaces(readBack(body, chat.streamed)), withoutPlaces(chat));
    });
  }

  test('an instruction in mid-conversation is the same where the model takes one', () => {
    const instruction: Turn = {
      role: 'system',
      at: 'a',
      parts: [{ kind: 'text', at: 'a', text: 'Now in verse.' }],
    };
    const chat = chatOf([...rich, instruction], {});
    const body = anthropicProvider.writeRequest(chat, 'claude-opus-5');
    assert.ok(!(body instanceof Denial));
    assert.deepEqual(withoutPlaces(readBack(body, false)), withoutPlaces(chat));
  });
});

const usage = {
  inputTokens: 5,
  cachedInputTokens: 6,
  cacheWriteTokens: 7,
  longCacheWriteTokens: 8,
  outputTokens: 9,
  reasoningTokens: 10,
};
const answers: Readonly<Record<string, Choice>> = {
  text: { parts: [{ kind: 'text', at: 'a', text: 'Hi — "言葉".\n' }], stop: { reason: 'end' } },
  'a stop sequence': {
    parts: [{ kind: 'text', at: 'a', text: 'Hi' }],
    stop: { reason: 'stop_sequence', sequence: 'X' },
  },
  length: { parts: [{ kind: 'text', at: 'a', text: 'Hi' }], stop: { reason: 'length' } },
  'a refusal': { parts: [], stop: { reason: 'refusal' } },
  'reasoning and calls': {
    parts: [
      { kind: 'reasoning', at: 'a', text: 'Hm.', signature: own },
      { kind: 'reasoning', at: 'a', text: '', signature: own },
      { kind: 'reasoning', at: 'a', text: '', signature: own, isRedacted: true },
      { kind: 'text', at: 'a', text: 'Looking.' },
      { kind: 'tool_call', at: 'a', id: 'c1', name: 'look', argumentsJson: '{"id":12345678901234567890}' },
      { kind: 'tool_call', at: 'a', id: 'c2', name: 'look', argumentsJson: '{}' },
      { kind: 'reasoning', at: 'a', text: 'unsigned' },
    ],
    stop: { reason: 'tool_calls' },
  },
};

describe("an answer in Anthropic's dialect and back", () => {
  for (const [name, choice] of Object.entries(answers)) {
    test(`${name} is the same`, () => {
      for (const known of [usage, undefined]) {
        const answer: ChatAnswer = { id: 'msg_1', model: 'claude', choices: [choice], usage: known };
        const read = anthropicProvider.readAnswer(anthropicClient.writeAnswer(answer, CONTEXT));
        assert.deepEqual(withoutPlaces(read), withoutPlaces(answer));
      }
    });

    test(`${name} streamed is the same`, () => {
      const events = eventsOf(choice);
      const encoder = anthropicClient.createStreamEncoder(CONTEXT);
      const decoder = anthropicProvider.createStreamDecoder();
      const sent = events.map((event) => encoder.push(event)).join('');
      const decoded = sent.split('\n\n').flatMap((event) => {
        const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(event) ?? [];
        return name === undefined || data === undefined ? [] : decoder.push({ name, data });
      });
      assert.deepEqual([...decoded, ...decoder.finish()], events);
    });
  }

  test("another vendor's signatures come back from a client as they went", () => {
    const parts: Choice['parts'] = [
      { kind: 'reasoning', at: 'a', text: 'Hm.', signature: foreign },
      { kind: 'reasoning', at: 'a', text: '', signature: { by: 'openai', value: 'x.y' }, isRedacted: true },
      { kind: 'tool_call', at: 'a', id: 'c1', name: 'look', argumentsJson: '{}', signature: foreign },
    ];
    const answer: ChatAnswer = {
      id: '',
      model: '',
      choices: [{ parts, stop: { reason: 'tool_calls' } }],
      usage,
    };
    const { content } = JSON.parse(anthropicClient.writeAnswer(answer, CONTEXT).toString()) as {
      content: readonly { readonly id?: string }[];
    };
    const result = { type: 'tool_result', tool_use_id: content[2]?.id, content: 'x' };
    const messages = [
      { role: 'user', content: 'x' },
      { role: 'assistant', content },
      { role: 'user', content: [result] },
    ];
    const chat = readBack(Buffer.from(JSON.stringify({ messages })), false);
    assert.deepEqual(withoutPlaces(chat.turns[1]?.parts), withoutPlaces(parts));
    const [first] = chat.turns[2]?.parts ?? [];
    assert.equal(first?.kind === 'tool_result' && first.callId, 'c1');
  });
});

function eventsOf({ parts, stop }: Choice): readonly ChatEvent[] {
  const events: ChatEvent[] = [{ kind: 'start', id: 'msg_1', model: 'claude' }];
  for (const part of parts) {
    if (part.kind === 'text' || part.kind === 'refusal') {
      events.push({ kind: part.kind, choice: 0, text: part.text });
    } else if (part.kind === 'tool_call') {
      events.push({ kind: 'tool_call', choice: 0, id: part.id, name: part.name });
      if (part.argumentsJson !== '{}') {
        events.push({ kind: 'tool_arguments', choice: 0, json: part.argumentsJson });
      }
    } else {
      events.push(...reasoningEvents(part));
    }
  }
  return [...events, { kind: 'stop', choice: 0, stop }, { kind: 'usage', usage }, { kind: 'end' }];
}

/** A block begins with an empty piece, which says that there is one. */
function reasoningEvents(part: Extract<Choice['parts'][number], { kind: 'reasoning' }>): ChatEvent[] {
  const { text, signature, isRedacted } = part;
  if (isRedacted === true && signature !== undefined) {
    return [{ kind: 'signature', choice: 0, signature, isRedacted }];
  }
  const events: ChatEvent[] = [{ kind: 'reasoning', choice: 0, text: '' }];
  if (text !== '') events.push({ kind: 'reasoning', choice: 0, text });
  if (signature !== undefined) events.push({ kind: 'signature', choice: 0, signature });
  return events;
}
