import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Denial } from '../../kernel/denial.ts';
import type { ChatRequest, Setting, Settings, Turn, UserPart } from '../chat.ts';
import { writeRequest } from './write-request.ts';

const names = Object.fromEntries(
  [
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
  ].map((name) => [name, `their_${name}`]),
) as Record<Setting, string>;

const tools: ChatRequest['tools'] = [{ at: 'tools.0', name: 'look' }];
const hello: Turn = { role: 'user', at: 'm.0', parts: [{ kind: 'text', at: 'm.0.0', text: 'Hello' }] };
const answer: Turn = { role: 'assistant', at: 'm.1', parts: [{ kind: 'text', at: 'm.1.0', text: 'Hi' }] };
const instruction: Turn = {
  role: 'system',
  at: 'm.2',
  parts: [{ kind: 'text', at: 'm.2.0', text: 'Rhyme' }],
};

function chatOf(settings: Settings, more: Partial<ChatRequest> = {}): ChatRequest {
  return { system: [], turns: [hello], tools: [], settings, names, streamed: false, ...more };
}

function bodyOf(chat: ChatRequest, model = 'claude-sonnet-4-6'): Record<string, unknown> {
  const body = writeRequest(chat, model);
  assert.ok(!(body instanceof Denial), JSON.stringify(body));
  return JSON.parse(body.toString()) as Record<string, unknown>;
}

function refusalOf(chat: ChatRequest, model = 'claude-sonnet-4-6'): string {
  const denial = writeRequest(chat, model);
  assert.ok(denial instanceof Denial, 'it was not refused');
  return `${denial.code} ${denial.detail.param}`;
}

function userTurn(...parts: UserPart[]): Turn {
  return { role: 'user', at: 'm.0', parts };
}

describe('writeRequest', () => {
  test('says no more than it was told', () => {
    assert.deepEqual(bodyOf(chatOf({})), {
      model: 'claude-sonnet-4-6',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
    });
    assert.equal(bodyOf(chatOf({}, { streamed: true }))['stream'], true);
    assert.deepEqual(bodyOf(chatOf({}, { tools }))['tools'], [
      { name: 'look', input_schema: { type: 'object', properties: {} } },
    ]);
  });

  test('defaults of other vendors ask for nothing', () => {
    const settings: Settings = {
      frequencyPenalty: 0,
      presencePenalty: 0,
      choices: 1,
      toolChoice: { kind: 'none' },
    };
    assert.deepEqual(Object.keys(bodyOf(chatOf(settings))), ['model', 'messages']);
  });

  test('turns of one role are joined, so that results follow their calls', () => {
    const result = (callId: string): Turn =>
      userTurn({ kind: 'tool_result', at: 'm', callId, content: [], isError: false });
    const call = (id: string): Turn => ({
      role: 'assistant',
      at: 'm',
      parts: [{ kind: 'tool_call', at: 'm', id, name: 'look', argumentsJson: '' }],
    });
    const turns = [hello, call('functions.look:0'), call('functions_look_0'), result('functions.look:0')];
    const { messages } = bodyOf(chatOf({}, { turns: [...turns, result('functions_look_0'), hello] }));
    const encoded = `toolu_kf_${Buffer.from('functions.look:0').toString('base64url')}`;
    assert.deepEqual(messages, [
      { role: 'user', content: [{ type: 'text', text: 'Hello' }] },
      {
        role: 'assistant',
        content: [
          { type: 'tool_use', id: encoded, name: 'look', input: {} },
          { type: 'tool_use', id: 'functions_look_0', name: 'look', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: encoded },
          { type: 'tool_result', tool_use_id: 'functions_look_0' },
          { type: 'text', text: 'Hello' },
        ],
      },
    ]);
  });

  test("empty text and another vendor's reasoning are not there", () => {
    const parts: Turn['parts'] = [
      { kind: 'reasoning', at: 'm', text: 'Hm', signature: { by: 'openai', value: 'x' } },
      { kind: 'reasoning', at: 'm', text: 'Hm' },
      { kind: 'text', at: 'm', text: '' },
      { kind: 'refusal', at: 'm', text: 'No.' },
    ];
    const turns = [hello, { role: 'assistant', at: 'm', parts } as Turn, hello];
    const { messages } = bodyOf(chatOf({}, { turns }));
    assert.deepEqual((messages as unknown[])[1], {
      role: 'assistant',
      content: [{ type: 'text', text: 'No.' }],
    });
    const [first] = parts;
    const silent = [hello, { role: 'assistant', at: 'm', parts: [first] } as Turn, hello];
    assert.equal((bodyOf(chatOf({}, { turns: silent }))['messages'] as unknown[]).length, 1);
  });

  test('a signature rides on nothing but its own reasoning', () => {
    const signature = { by: 'gemini', value: 'x' } as const;
    const call = {
      kind: 'tool_call',
      at: 'm',
      id: 'c',
      name: 'n',
      argumentsJson: '{"a":1}',
      signature,
    } as const;
    const turns: Turn[] = [hello, { role: 'assistant', at: 'm', parts: [call] }, hello];
    assert.ok(!JSON.stringify(bodyOf(chatOf({}, { turns }))).includes('gemini'));
  });

  test('an effort asks for adaptive thinking, and a budget stays what it is', () => {
    const written = (reasoning: NonNullable<Settings['reasoning']>) => {
      const { thinking, output_config } = bodyOf(chatOf({ reasoning }));
      return [thinking, output_config];
    };
    assert.deepEqual(written({ effort: 'high' }), [{ type: 'adaptive' }, { effort: 'high' }]);
    assert.deepEqual(written({ isShown: true }), [{ type: 'adaptive', display: 'summarized' }, undefined]);
    assert.deepEqual(written({ isShown: false }), [undefined, undefined]);
    assert.deepEqual(written({ tokensMax: 0 }), [{ type: 'disabled' }, undefined]);
    assert.deepEqual(written({ tokensMax: 3333 }), [{ type: 'enabled', budget_tokens: 3333 }, undefined]);
  });

  const refused: readonly [Setting, Settings, string?][] = [
    ['temperature', { temperature: 1.2 }],
    ['temperature', { temperature: 0.5, reasoning: { effort: 'low' } }],
    ['temperature', { temperature: 0 }, 'claude-opus-4-8'],
    ['topP', { topP: 0.9, reasoning: { tokensMax: 2000 } }],
    ['topP', { topP: 0.9 }, 'claude-haiku-5-5'],
    ['topP', { topP: 0.9, temperature: 0.5 }],
    ['topK', { topK: 1, reasoning: { isAdaptive: true } }],
    ['topK', { topK: 1 }, 'claude-sonnet-5'],
    ['frequencyPenalty', { frequencyPenalty: 0.1 }],
    ['presencePenalty', { presencePenalty: -1 }],
    ['seed', { seed: 0 }],
    ['choices', { choices: 2 }],
    ['logprobs', { logprobs: 0 }],
    ['stop', { stop: ['a', ' '] }],
    ['userId', { userId: 'x'.repeat(513) }],
    ['output', { output: { kind: 'json' } }],
    ['output', { output: { kind: 'schema', schema: {}, description: 'x' } }],
    ['reasoning', { reasoning: { effort: 'minimal' } }],
    ['reasoning', { reasoning: { effort: 'xhigh' } }],
    ['reasoning', { reasoning: { effort: 'high' } }, 'claude-haiku-4-5'],
    ['reasoning', { reasoning: { tokensMax: 1023 } }],
    ['reasoning', { reasoning: { tokensMax: 2000 }, outputTokensMax: 2000 }],
    ['reasoning', { reasoning: { tokensMax: 2000 } }, 'claude-opus-5-5'],
    ['reasoning', { reasoning: { effort: 'none' } }, 'claude-fable-5-1'],
    ['toolChoice', { toolChoice: { kind: 'named', names: ['look', 'see'] } }],
    ['toolChoice', { toolChoice: { kind: 'required' }, reasoning: { tokensMax: 2000 } }],
    ['toolChoice', { toolChoice: { kind: 'required' } }, 'claude-sonnet-5-5'],
  ];
  for (const [index, [setting, settings, model]] of refused.entries()) {
    test(`${setting} is refused by the client's name for it (${index})`, () => {
      assert.equal(refusalOf(chatOf(settings, { tools }), model), `unsupported_parameter their_${setting}`);
    });
  }

  test('what contradicts itself is wrong', () => {
    const wrong: Settings[] = [
      { reasoning: { effort: 'none', tokensMax: 2000 } },
      { reasoning: { effort: 'high', tokensMax: 0 } },
      { reasoning: { isAdaptive: true, tokensMax: 2000 } },
    ];
    for (const settings of wrong)
      assert.equal(refusalOf(chatOf(settings)), 'invalid_request their_reasoning');
    const forced = chatOf({ toolChoice: { kind: 'required' } });
    assert.equal(refusalOf(forced), 'invalid_request their_toolChoice');
  });

  test('a model that is not known is asked, and answers for itself', () => {
    const settings: Settings = { temperature: 0.5, topP: 0.5, topK: 3 };
    assert.equal(bodyOf(chatOf(settings), 'glm-5')['top_k'], 3);
    assert.deepEqual(bodyOf(chatOf({ reasoning: { effort: 'none' } }), 'k2')['thinking'], {
      type: 'disabled',
    });
  });

  const image = { kind: 'image', at: 'm.0.0' } as const;
  const unsayable: readonly [string, string, Turn[]][] = [
    ['a recording', 'm.0.0', [userTurn({ kind: 'audio', at: 'm.0.0', source: { kind: 'url', url: 'u' } })]],
    ['a detail', 'm.0.0', [userTurn({ ...image, detail: 'low', source: { kind: 'url', url: 'u' } })]],
    [
      'a type of image',
      'm.0.0',
      [userTurn({ ...image, source: { kind: 'data', mediaType: 'image/heic', base64: 'AAAA' } })],
    ],
    [
      'a document of unknown type',
      'm.0.0',
      [userTurn({ kind: 'file', at: 'm.0.0', source: { kind: 'url', url: 'u' } })],
    ],
    [
      'a type of document',
      'm.0.0',
      [
        userTurn({
          kind: 'file',
          at: 'm.0.0',
          source: { kind: 'data', mediaType: 'text/csv', base64: 'AAAA' },
        }),
      ],
    ],
    [
      'a late result',
      'm.0.1',
      [
        userTurn(
          { kind: 'text', at: 'm.0.0', text: 'x' },
          { kind: 'tool_result', at: 'm.0.1', callId: 'c', content: [], isError: false },
        ),
      ],
    ],
    ['a beginning of the answer', 'm.1', [hello, answer]],
    ['an instruction in mid-conversation', 'm.2', [hello, instruction]],
    ['nothing at all', 'm.0', [userTurn({ kind: 'text', at: 'm.0.0', text: '' })]],
  ];
  for (const [what, at, turns] of unsayable) {
    test(`${what} is refused where it stands`, () =>
      assert.equal(refusalOf(chatOf({}, { turns })), `unsupported_parameter ${at}`));
  }

  test('an instruction stands after a user, and before an answer or nothing', () => {
    const model = 'claude-opus-5';
    for (const turns of [
      [hello, instruction],
      [hello, instruction, answer, hello],
    ]) {
      assert.equal((bodyOf(chatOf({}, { turns }), model)['messages'] as unknown[]).length, turns.length);
    }
    for (const turns of [
      [instruction, hello],
      [hello, answer, instruction],
      [hello, instruction, hello],
    ]) {
      assert.equal(refusalOf(chatOf({}, { turns }), model), 'unsupported_parameter m.2');
    }
  });

  test('a tool that Anthropic would not take is refused where it stands', () => {
    const named = chatOf({}, { tools: [{ at: 'tools.0', name: 'a.b' }] });
    assert.equal(refusalOf(named), 'unsupported_parameter tools.0');
    const typed = chatOf({}, { tools: [{ at: 'tools.0', name: 'a', schema: {} }] });
    assert.equal(refusalOf(typed), 'unsupported_parameter tools.0');
  });

  test('arguments that are no object, and text that is no text, are wrong', () => {
    for (const argumentsJson of ['[1]', '{"a":', '12345678901234567890', 'null']) {
      const call = { kind: 'tool_call', at: 'm.1.0', id: 'c', name: 'n', argumentsJson } as const;
      const turns: Turn[] = [hello, { role: 'assistant', at: 'm.1', parts: [call] }, hello];
      assert.equal(refusalOf(chatOf({}, { turns })), 'invalid_request m.1.0');
    }
    const source = { kind: 'data', mediaType: 'text/plain', base64: '/w==' } as const;
    const turns = [userTurn({ kind: 'file', at: 'm.0.0', source })];
    assert.equal(refusalOf(chatOf({}, { turns })), 'invalid_request m.0.0');
  });
});
