import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { AssistantPart, ChatRequest, Setting, Settings, Turn, UserPart } from '../chat.ts';
import { readRequest } from './read-request.ts';
import { accepted, refused, sent, unplaced } from './test-openai.ts';
import { writeRequest } from './write-request.ts';

const SETTINGS: readonly Setting[] = [
  'outputTokensMax',
  'temperature',
  'topP',
  'topK',
  'frequencyPenalty',
  'presencePenalty',
  'seed',
  'stop',
  'choices',
  'logprobs',
  'output',
  'reasoning',
  'toolChoice',
  'isParallelToolUseAllowed',
  'userId',
];
/** A client whose fields are called like nobody else's. */
const NAMES = Object.fromEntries(SETTINGS.map((name) => [name, `my_${name}`])) as Record<Setting, string>;
const AT = 'contents.1';

function chat(fields: Partial<ChatRequest> = {}): ChatRequest {
  const turns = [user({ kind: 'text', at: AT, text: 'Hi' })];
  return { system: [], turns, tools: [], settings: {}, names: NAMES, streamed: false, ...fields };
}

function user(...parts: readonly UserPart[]): Turn {
  return { role: 'user', at: AT, parts };
}

function assistant(...parts: readonly AssistantPart[]): Turn {
  return { role: 'assistant', at: AT, parts };
}

function text(value: string) {
  return { kind: 'text', at: AT, text: value } as const;
}

function write(fields: Partial<ChatRequest>): Record<string, unknown> {
  const body = accepted(writeRequest(chat(fields), 'upstream-model'));
  return JSON.parse(body.toString()) as Record<string, unknown>;
}

function messagesOf(...turns: readonly Turn[]): unknown {
  return write({ turns })['messages'];
}

const CALL = { kind: 'tool_call', at: AT, id: 'call_1', name: 'f', argumentsJson: '{"a":1}' } as const;

describe('a request to a compatible server', () => {
  test('has text alone as one string', () => {
    const body = write({
      system: [text('One.'), text('Two.')],
      turns: [user(text('a'), text('b')), { role: 'system', at: AT, parts: [text('Three.')] }],
    });
    assert.deepEqual(body, {
      model: 'upstream-model',
      messages: [
        { role: 'system', content: 'One.\n\nTwo.' },
        { role: 'user', content: 'a\n\nb' },
        { role: 'system', content: 'Three.' },
      ],
    });
  });

  test('asks for the usage of a stream', () => {
    const { stream, stream_options: options } = write({ streamed: true });
    assert.deepEqual([stream, options], [true, { include_usage: true }]);
  });

  test('answers tools at once, before what the user says', () => {
    const result = { kind: 'tool_result', at: AT, callId: 'call_1', isError: false } as const;
    const messages = messagesOf(
      assistant(text('Let me see.'), CALL),
      user(text('And?'), { ...result, content: [text('x'), text('y')] }),
    );
    assert.deepEqual(messages, [
      {
        role: 'assistant',
        content: 'Let me see.',
        tool_calls: [{ id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }],
      },
      { role: 'tool', tool_call_id: 'call_1', content: 'x\n\ny' },
      { role: 'user', content: 'And?' },
    ]);
  });

  test('says in its result that a tool has failed', () => {
    const failed = {
      kind: 'tool_result',
      at: AT,
      callId: 'c',
      content: [text('no disk')],
      isError: true,
    } as const;
    assert.deepEqual(messagesOf(user(failed)), [
      { role: 'tool', tool_call_id: 'c', content: 'Error: no disk' },
    ]);
  });

  test('has ids of calls that OpenAI takes, the same for a call and its result', () => {
    const id = 'x'.repeat(41);
    const messages = messagesOf(
      assistant({ ...CALL, id }),
      user({ kind: 'tool_result', at: AT, callId: id, content: [], isError: false }),
    ) as readonly [{ tool_calls: readonly [{ id: string }] }, { tool_call_id: string }];
    const written = messages[0].tool_calls[0].id;
    assert.match(written, /^call_[0-9a-f]{24}$/);
    assert.equal(messages[1].tool_call_id, written);
  });

  test('gives back the reasoning of such a server in its field, and no other', () => {
    const reasoning = (value: string, by?: 'openai' | 'anthropic', signature = '') =>
      ({
        kind: 'reasoning',
        at: AT,
        text: value,
        ...(by === undefined ? {} : { signature: { by, value: signature } }),
      }) as const;
    const turn = (part: AssistantPart) => messagesOf(assistant(part, text('So.')));
    const plain = { role: 'assistant', content: 'So.' };
    assert.deepEqual(turn(reasoning('Hm', 'openai', 'reasoning_content')), [
      { ...plain, reasoning_content: 'Hm' },
    ]);
    assert.deepEqual(turn(reasoning('Hm', 'openai', 'reasoning')), [{ ...plain, reasoning: 'Hm' }]);
    assert.deepEqual(turn(reasoning('Hm', 'openai', 'gAAAAB')), [plain]);
    assert.deepEqual(turn(reasoning('Hm', 'anthropic', 'reasoning')), [plain]);
    assert.deepEqual(turn(reasoning('Hm')), [plain]);
    assert.deepEqual(turn({ ...reasoning('', 'anthropic', 'x'), isRedacted: true }), [plain]);
    assert.deepEqual(messagesOf(assistant(reasoning('Hm'))), [{ role: 'assistant', content: '' }]);
  });

  test('has a name for every document', () => {
    const source = { kind: 'data', mediaType: 'application/pdf', base64: 'aGkh' } as const;
    const file = { filename: 'document', file_data: 'data:application/pdf;base64,aGkh' };
    assert.deepEqual(messagesOf(user({ kind: 'file', at: AT, source })), [
      { role: 'user', content: [{ type: 'file', file }] },
    ]);
  });

  test('has a name for every format', () => {
    const output = { kind: 'schema', schema: { type: 'object' } } as const;
    assert.deepEqual(write({ settings: { output } })['response_format'], {
      type: 'json_schema',
      json_schema: { name: 'answer', schema: { type: 'object' } },
    });
  });

  test('says that there is to be no reasoning by the effort', () => {
    assert.equal(write({ settings: { reasoning: { tokensMax: 0 } } })['reasoning_effort'], 'none');
    const adaptive = write({ settings: { reasoning: { isAdaptive: true, isShown: true } } });
    assert.equal('reasoning_effort' in adaptive, false);
  });

  test('chooses nothing where there are no tools', () => {
    const settings: Settings = { toolChoice: { kind: 'auto' }, isParallelToolUseAllowed: true };
    assert.deepEqual(Object.keys(write({ settings })), ['model', 'messages']);
  });

  const png = { kind: 'data', mediaType: 'image/png', base64: 'aGk=' } as const;
  const refusals: readonly [string, Partial<ChatRequest>, string][] = [
    ['a limit of candidates', { settings: { topK: 3 } }, 'my_topK'],
    ['a high temperature', { settings: { temperature: 2.5 } }, 'my_temperature'],
    ['too many sequences', { settings: { stop: ['a', 'b', 'c', 'd', 'e'] } }, 'my_stop'],
    ['too many choices', { settings: { choices: 129 } }, 'my_choices'],
    ['too many alternatives', { settings: { logprobs: 21 } }, 'my_logprobs'],
    ['a limit on reasoning', { settings: { reasoning: { tokensMax: 1024 } } }, 'my_reasoning'],
    ['effort and no reasoning', { settings: { reasoning: { effort: 'low', tokensMax: 0 } } }, 'my_reasoning'],
    ['a format’s name', { settings: { output: { kind: 'schema', schema: {}, name: 'a b' } } }, 'my_output'],
    ['a choice without tools', { settings: { toolChoice: { kind: 'required' } } }, 'my_toolChoice'],
    ['a called tool’s name', { turns: [assistant({ ...CALL, name: 'a.b' })] }, AT],
    [
      'an image in another store',
      { turns: [user({ kind: 'image', at: AT, source: { kind: 'url', url: 'gs://a/b' } })] },
      AT,
    ],
    ['a tool’s name', { tools: [{ at: 'my_tools.0', name: 'a.b' }] }, 'my_tools.0'],
    [
      'another type of image',
      { turns: [user({ kind: 'image', at: AT, source: { ...png, mediaType: 'image/heic' } })] },
      AT,
    ],
    ['another type of audio', { turns: [user({ kind: 'audio', at: AT, source: png })] }, AT],
    [
      'an address of audio',
      { turns: [user({ kind: 'audio', at: AT, source: { kind: 'url', url: 'https://a.b/c' } })] },
      AT,
    ],
    [
      'an address of a document',
      { turns: [user({ kind: 'file', at: AT, source: { kind: 'url', url: 'https://a.b/c' } })] },
      AT,
    ],
    [
      'an image in a result',
      {
        turns: [
          user({
            kind: 'tool_result',
            at: AT,
            callId: 'c',
            content: [{ kind: 'image', at: 'x.y', source: png }],
            isError: false,
          }),
        ],
      },
      'x.y',
    ],
  ];
  for (const [what, fields, param] of refusals) {
    test(`is refused by the client's own name: ${what}`, () => {
      assert.equal(refused(writeRequest(chat(fields), 'm')), `unsupported_parameter ${param}`);
    });
  }

  test('is read as the chat that it was written from', () => {
    fc.assert(
      fc.property(arbitraryChat(), (original) => {
        const body = accepted(writeRequest(original, 'm')).toString();
        const read = accepted(readRequest(sent(body, original.streamed)));
        assert.deepEqual(unplaced(read), unplaced(original));
      }),
    );
  });
});

/** Chats in the one form in which they are read, since several forms are written alike. */
function arbitraryChat(): fc.Arbitrary<ChatRequest> {
  const words = fc.string({ unit: 'grapheme', minLength: 1 });
  const part = words.map((value) => text(value));
  const image = fc.constantFrom(
    { kind: 'image', at: AT, source: { kind: 'data', mediaType: 'image/png', base64: 'aGk=' } } as const,
    { kind: 'image', at: AT, source: { kind: 'url', url: 'https://a.b/c' }, detail: 'high' } as const,
  );
  const audio = fc.constant({
    kind: 'audio',
    at: AT,
    source: { kind: 'data', mediaType: 'audio/wav', base64: 'aGkh' },
  } as const);
  const file = fc.constant({
    kind: 'file',
    at: AT,
    source: { kind: 'data', mediaType: 'application/pdf', base64: 'aGkh' },
    name: 'a.pdf',
  } as const);
  const said = fc.oneof(
    part.map((each) => user(each)),
    fc.tuple(image, part, audio, file).map((parts) => user(...parts)),
    part.map((each) => assistant(each)),
    words.map((value) => assistant({ kind: 'refusal', at: AT, text: value })),
  );
  const called = fc
    .tuple(fc.option(part, { nil: undefined }), fc.array(part, { maxLength: 1 }))
    .map(([before, content]) => [
      assistant(...(before === undefined ? [] : [before]), CALL),
      user({ kind: 'tool_result', at: AT, callId: CALL.id, content, isError: false }),
    ]);
  const turns = fc.array(
    fc.oneof(
      said.map((turn) => [turn]),
      called,
    ),
    { minLength: 1, maxLength: 5 },
  );
  const tools = [
    { at: AT, name: 'f', description: 'd', schema: { type: 'object' }, isStrict: true },
    { at: AT, name: 'g' },
  ];
  const settings = fc.record(
    {
      outputTokensMax: fc.integer({ min: 1 }),
      temperature: fc.double({ min: 0, max: 2, noNaN: true }).map((value) => value + 0),
      topP: fc.constantFrom(0, 0.5, 1),
      frequencyPenalty: fc.constantFrom(-2, 0, 1.5),
      presencePenalty: fc.constantFrom(-1, 2),
      seed: fc.integer(),
      stop: fc.array(words, { minLength: 1, maxLength: 4 }),
      choices: fc.integer({ min: 1, max: 128 }),
      logprobs: fc.integer({ min: 0, max: 20 }),
      output: fc.constantFrom(
        { kind: 'json' } as const,
        { kind: 'schema', schema: { type: 'object' }, name: 'n', description: 'd', isStrict: false } as const,
      ),
      reasoning: fc.constantFrom({ effort: 'none' } as const, { effort: 'max' } as const),
      toolChoice: fc.constantFrom(
        { kind: 'required' } as const,
        { kind: 'named', names: ['g'] } as const,
        { kind: 'named', names: ['f', 'g'] } as const,
      ),
      isParallelToolUseAllowed: fc.boolean(),
      userId: words,
    },
    { requiredKeys: [] },
  );
  return fc
    .record({ system: fc.array(part, { maxLength: 1 }), turns, settings, streamed: fc.boolean() })
    .map(({ system, turns, settings, streamed }) =>
      chat({ system, turns: turns.flat(), tools, settings, streamed }),
    );
}
