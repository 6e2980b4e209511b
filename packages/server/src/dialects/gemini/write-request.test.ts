import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type {
  AssistantPart,
  ChatRequest,
  Reasoning,
  Setting,
  Settings,
  ToolResultPart,
  Turn,
  UserPart,
} from '../chat.ts';
import { Denial } from '../../kernel/denial.ts';
import { SETTING_NAMES } from './read-settings.ts';
import { ask, chatOf, refusal } from './test-chats.ts';
import { PLACEHOLDER } from './thought-signatures.ts';
import { writeRequest } from './write-request.ts';

const GEMINI_3 = 'gemini-3-flash-preview';
const NAMES = Object.fromEntries(
  Object.keys(SETTING_NAMES).map((name) => [name, `client.${name}`]),
) as Record<Setting, string>;

function write(chat: Partial<ChatRequest>, model = GEMINI_3): Record<string, unknown> {
  const body = writeRequest(chatOf({ names: NAMES, ...chat }), model);
  assert.ok(!(body instanceof Denial), body instanceof Denial ? (body.detail.message ?? '') : '');
  return JSON.parse(body.toString()) as Record<string, unknown>;
}

function refuse(chat: Partial<ChatRequest>, model = GEMINI_3): string {
  return refusal(writeRequest(chatOf({ names: NAMES, ...chat }), model)).replace(
    'unsupported_parameter ',
    '',
  );
}

function config(settings: Settings, model = GEMINI_3): unknown {
  return write({ settings }, model)['generationConfig'];
}

function user(...parts: UserPart[]): Turn {
  return { role: 'user', parts, at: 'messages.1' };
}

function model(...parts: AssistantPart[]): Turn {
  return { role: 'assistant', parts, at: 'messages.2' };
}

function call(id: string, more: Partial<AssistantPart & { kind: 'tool_call' }> = {}): AssistantPart {
  return { kind: 'tool_call', id, name: 'f', argumentsJson: '{}', at: 'call', ...more };
}

function result(
  callId: string,
  texts: readonly string[],
  more: Partial<ToolResultPart> = {},
): ToolResultPart {
  const content = texts.map((text) => ({ kind: 'text' as const, text, at: 'text' }));
  return { kind: 'tool_result', callId, content, isError: false, at: 'result', ...more };
}

const IMAGE = {
  kind: 'image',
  source: { kind: 'data', mediaType: 'image/png', base64: 'AAAA' },
  at: 'image',
} as const;

describe('writeRequest', () => {
  test('writes system, tools and every setting', () => {
    const body = write({
      system: [{ kind: 'text', text: 'Be brief.', at: 'system' }],
      tools: [
        { name: 'f', description: 'd', schema: { type: 'object' }, at: 'tools.0' },
        { name: 'g', at: 'tools.1' },
      ],
      settings: {
        outputTokensMax: 9,
        temperature: 1,
        topP: 0.5,
        topK: 3,
        frequencyPenalty: 1,
        presencePenalty: -1,
        seed: 7,
        stop: ['x'],
        choices: 2,
        logprobs: 0,
        output: {
          kind: 'schema',
          schema: { type: 'object' },
          name: 'n',
          description: 'of it',
          isStrict: true,
        },
        reasoning: { effort: 'high', isShown: true },
        toolChoice: { kind: 'named', names: ['f'] },
        isParallelToolUseAllowed: true,
      },
    });
    assert.deepEqual(body, {
      systemInstruction: { parts: [{ text: 'Be brief.' }] },
      contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
      tools: [
        {
          functionDeclarations: [
            { name: 'f', description: 'd', parametersJsonSchema: { type: 'object' } },
            { name: 'g' },
          ],
        },
      ],
      toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['f'] } },
      generationConfig: {
        maxOutputTokens: 9,
        temperature: 1,
        topP: 0.5,
        topK: 3,
        frequencyPenalty: 1,
        presencePenalty: -1,
        seed: 7,
        stopSequences: ['x'],
        candidateCount: 2,
        responseLogprobs: true,
        logprobs: 0,
        responseMimeType: 'application/json',
        responseJsonSchema: { type: 'object', description: 'of it' },
        thinkingConfig: { includeThoughts: true, thinkingLevel: 'HIGH' },
      },
    });
  });

  test('writes nothing that the chat does not set', () => {
    assert.deepEqual(Object.keys(write({})), ['contents']);
  });

  test('asks for validated calls where a function must be followed exactly', () => {
    const tools = [{ name: 'f', isStrict: true, at: 'tools.0' }];
    assert.deepEqual(write({ tools })['toolConfig'], { functionCallingConfig: { mode: 'VALIDATED' } });
  });

  test('numbers in arguments keep their digits', () => {
    const args = '{"id":12345678901234567890}';
    const body = writeRequest(
      chatOf({ turns: [ask('x'), model(call('a', { argumentsJson: args }))] }),
      GEMINI_3,
    );
    assert.ok(Buffer.isBuffer(body) && body.includes(`"args":${args}`));
  });
});

describe('reasoning', () => {
  const thinking = (reasoning: Reasoning, name: string): unknown =>
    (config({ reasoning }, name) as { thinkingConfig?: unknown } | undefined)?.thinkingConfig;

  test('is a level since Gemini 3', () => {
    assert.deepEqual(thinking({ effort: 'minimal' }, 'gemini-3-flash-preview'), { thinkingLevel: 'MINIMAL' });
    assert.deepEqual(thinking({ effort: 'minimal' }, 'gemini-3.1-pro-preview'), { thinkingLevel: 'LOW' });
    assert.deepEqual(thinking({ effort: 'medium', isAdaptive: true }, 'gemini-flash-latest'), {
      thinkingLevel: 'MEDIUM',
    });
    assert.deepEqual(thinking({ tokensMax: 500 }, GEMINI_3), { thinkingBudget: 500 });
    assert.equal(thinking({ isAdaptive: true }, GEMINI_3), undefined);
  });

  test('is a budget before', () => {
    assert.deepEqual(thinking({ effort: 'low' }, 'gemini-2.5-pro'), { thinkingBudget: 1024 });
    assert.deepEqual(thinking({ effort: 'medium' }, 'models/gemini-2.5-flash'), { thinkingBudget: 8192 });
    assert.deepEqual(thinking({ effort: 'high' }, 'gemini-2.5-flash-lite'), { thinkingBudget: 24_576 });
    assert.deepEqual(thinking({ effort: 'none' }, 'gemini-2.5-flash'), { thinkingBudget: 0 });
    assert.deepEqual(thinking({ tokensMax: 0 }, 'gemini-2.5-flash'), { thinkingBudget: 0 });
    assert.deepEqual(thinking({ isAdaptive: true, isShown: true }, 'gemini-2.5-flash'), {
      thinkingBudget: -1,
      includeThoughts: true,
    });
  });

  test('that is off is what models without it do', () => {
    assert.equal(thinking({ effort: 'none' }, 'gemini-2.0-flash'), undefined);
  });

  test('is refused where the model does not have it so', () => {
    const cases: readonly [Reasoning, string][] = [
      [{ effort: 'none' }, GEMINI_3],
      [{ tokensMax: 0 }, 'gemini-2.5-pro'],
      [{ effort: 'xhigh' }, GEMINI_3],
      [{ effort: 'max' }, 'gemini-2.5-flash'],
      [{ effort: 'low', tokensMax: 100 }, GEMINI_3],
      [{ effort: 'low', tokensMax: 100 }, 'gemini-2.5-flash'],
      [{ effort: 'low' }, 'gemini-2.0-flash'],
      [{ isShown: true }, 'gemini-1.5-pro'],
    ];
    for (const [reasoning, name] of cases) {
      assert.equal(refuse({ settings: { reasoning } }, name), 'client.reasoning', name);
    }
  });
});

describe('the history', () => {
  const gemini = { by: 'gemini', value: 'AAAA' } as const;
  const other = { by: 'anthropic', value: 'E' } as const;
  const contents = (turns: readonly Turn[], name = GEMINI_3) =>
    write({ turns: [ask('Hi'), ...turns] }, name)['contents'] as unknown[];

  test("gives Gemini's signatures back as they came, and leaves out those of others with their reasoning", () => {
    const turn = model(
      { kind: 'reasoning', text: 'mine', signature: gemini, at: '' },
      { kind: 'reasoning', text: 'unsigned', at: '' },
      { kind: 'reasoning', text: 'theirs', signature: other, at: '' },
      { kind: 'reasoning', text: '', signature: other, isRedacted: true, at: '' },
      { kind: 'text', text: 'a', signature: gemini, at: '' },
      { kind: 'text', text: 'b', signature: other, at: '' },
      { kind: 'refusal', text: 'No.', at: '' },
      call('1', { signature: gemini }),
      call('2', { signature: other }),
    );
    assert.deepEqual(contents([turn])[1], {
      role: 'model',
      parts: [
        { text: 'mine', thoughtSignature: 'AAAA', thought: true },
        { text: 'unsigned', thought: true },
        { text: 'a', thoughtSignature: 'AAAA' },
        { text: 'b' },
        { text: 'No.' },
        { functionCall: { id: '1', name: 'f', args: {} }, thoughtSignature: 'AAAA' },
        { functionCall: { id: '2', name: 'f', args: {} } },
      ],
    });
  });

  test('has a placeholder where the first call of a turn has no signature, since Gemini 3', () => {
    const turn = model(call('1', { signature: other }), call('2'));
    const signatures = (name: string) => {
      const { parts } = contents([turn], name)[1] as { parts: { thoughtSignature?: string }[] };
      return parts.map(({ thoughtSignature }) => thoughtSignature);
    };
    assert.deepEqual(signatures('gemini-3.1-pro-preview'), [PLACEHOLDER, undefined]);
    assert.deepEqual(signatures('gemini-2.5-pro'), [undefined, undefined]);
  });

  test('has results that follow each other in one content, and nothing else in it', () => {
    const text = { kind: 'text', text: 'and?', at: '' } as const;
    const turns = [model(call('1'), call('2')), user(result('1', ['x'])), user(result('2', ['y']), text)];
    assert.deepEqual(contents(turns).slice(2), [
      {
        role: 'user',
        parts: [
          { functionResponse: { id: '1', name: 'f', response: { output: 'x' } } },
          { functionResponse: { id: '2', name: 'f', response: { output: 'y' } } },
        ],
      },
      { role: 'user', parts: [{ text: 'and?' }] },
    ]);
  });

  test('has a result as the object that it is, to the letter, or as text', () => {
    const responseTo = (texts: readonly string[], more: Partial<ToolResultPart> = {}) => {
      const [, , content] = contents([model(call('1')), user(result('1', texts, more))]);
      return (content as { parts: { functionResponse: { response: unknown } }[] }).parts[0]?.functionResponse
        .response;
    };
    assert.deepEqual(responseTo(['{"a":[1.5,"x"]}']), { a: [1.5, 'x'] });
    for (const text of [
      '{"a": 1}',
      '{"a":1.0}',
      '{"a":1,"a":2}',
      '[1]',
      '',
      '{"output":"x"}',
      '{"error":1}',
      'x',
    ]) {
      assert.deepEqual(responseTo([text]), { output: text });
    }
    assert.deepEqual(responseTo([]), { output: '' });
    assert.deepEqual(responseTo(['a', 'b']), { output: ['a', 'b'] });
    assert.deepEqual(responseTo(['{"a":1}'], { isError: true }), { error: '{"a":1}' });
  });

  test('has media in results since Gemini 3', () => {
    const turns = [
      model(call('1')),
      user(result('1', [], { content: [{ kind: 'text', text: 'x', at: '' }, IMAGE] })),
    ];
    assert.deepEqual((contents(turns)[2] as { parts: unknown[] }).parts, [
      {
        functionResponse: {
          id: '1',
          name: 'f',
          response: { output: 'x' },
          parts: [{ inlineData: { mimeType: 'image/png', data: 'AAAA' } }],
        },
      },
    ]);
    assert.equal(refuse({ turns: [ask('Hi'), ...turns] }, 'gemini-2.5-flash'), 'image');
  });

  test('has a file that is somewhere as its address, where its type is said', () => {
    const source = { kind: 'url', url: 'https://a.example/b.pdf', mediaType: 'application/pdf' } as const;
    const [content] = contents([user({ kind: 'file', source, name: 'b.pdf', at: '' })]).slice(1);
    assert.deepEqual(content, {
      role: 'user',
      parts: [
        {
          fileData: { mimeType: 'application/pdf', fileUri: 'https://a.example/b.pdf', displayName: 'b.pdf' },
        },
      ],
    });
  });

  test('that is another model’s reasoning alone leaves no turn', () => {
    const turn = model({ kind: 'reasoning', text: 'theirs', signature: other, at: '' });
    assert.equal(contents([turn]).length, 1);
  });
});

describe('writeRequest refuses by name', () => {
  const url = { kind: 'url', url: 'https://a.example/b.png' } as const;
  const part = (each: UserPart): Partial<ChatRequest> => ({ turns: [user(each)] });
  const cases: readonly [what: string, chat: Partial<ChatRequest>, refusal: string][] = [
    [
      'one call at a time',
      { settings: { isParallelToolUseAllowed: false } },
      'client.isParallelToolUseAllowed',
    ],
    ['a temperature above 2', { settings: { temperature: 2.5 } }, 'client.temperature'],
    ['a seed beyond 32 bits', { settings: { seed: 2 ** 31 } }, 'client.seed'],
    ['nine choices', { settings: { choices: 9 } }, 'client.choices'],
    ['21 alternatives', { settings: { logprobs: 21 } }, 'client.logprobs'],
    ['six stop sequences', { settings: { stop: ['1', '2', '3', '4', '5', '6'] } }, 'client.stop'],
    [
      'two descriptions of the output',
      { settings: { output: { kind: 'schema', schema: { description: 'a' }, description: 'b' } } },
      'client.output',
    ],
    [
      'an instruction within the conversation',
      { turns: [{ role: 'system', parts: [], at: 'messages.4' }] },
      'messages.4',
    ],
    ['a GIF', part({ ...IMAGE, source: { kind: 'data', mediaType: 'image/gif', base64: 'AAAA' } }), 'image'],
    ['a level of detail', part({ ...IMAGE, detail: 'low' }), 'image'],
    ['an image somewhere, of no type', part({ ...IMAGE, source: url }), 'image'],
    [
      'an image that is not fetched',
      part({ ...IMAGE, source: { ...url, url: 'http://a.example/b.png', mediaType: 'image/png' } }),
      'image',
    ],
    [
      'a recording somewhere',
      part({ kind: 'audio', source: { ...url, mediaType: 'audio/wav' }, at: 'audio' }),
      'audio',
    ],
    [
      'a spreadsheet',
      part({ kind: 'file', source: { kind: 'data', mediaType: 'text/csv', base64: 'AAAA' }, at: 'file' }),
      'file',
    ],
    ['a result of no call', part(result('x', [])), 'result'],
    [
      'text after media in a result',
      {
        turns: [
          model(call('1')),
          user(result('1', [], { content: [IMAGE, { kind: 'text', text: 'x', at: 'after' }] })),
        ],
      },
      'after',
    ],
    ['arguments that are no object', { turns: [model(call('1', { argumentsJson: '[1]' }))] }, 'call'],
    ['arguments that are no JSON', { turns: [model(call('1', { argumentsJson: '{"a":' }))] }, 'call'],
    ['the name of a function', { tools: [{ name: 'a b', at: 'tools.0' }] }, 'tools.0'],
    [
      '513 functions',
      { tools: Array.from({ length: 513 }, (_, index) => ({ name: `f${index}`, at: `tools.${index}` })) },
      'tools.512',
    ],
  ];
  for (const [what, chat, param] of cases) {
    test(what, () => assert.equal(refuse(chat), param));
  }
});
