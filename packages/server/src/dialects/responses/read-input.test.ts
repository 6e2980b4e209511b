import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { accepted, refused, sent } from '../openai/test-openai.ts';
import { joinSignature } from '../signatures.ts';
import { readRequest } from './read-request.ts';

function read(...input: readonly object[]) {
  return readRequest(sent({ model: 'm', input }));
}

const USER = { role: 'user', content: 'Go' };
const CALL = { type: 'function_call', call_id: 'call_1', name: 'f', arguments: '{"a":1}' };

describe('the input of a request', () => {
  test('instructs before the first turn, and in the middle', () => {
    const chat = accepted(
      read(
        { role: 'developer', content: 'D' },
        { type: 'message', role: 'system', content: [{ type: 'input_text', text: 'S' }] },
        { role: 'developer', content: '' },
        USER,
        { role: 'developer', content: 'Now be brief' },
      ),
    );
    assert.deepEqual(
      chat.system.map(({ text, at }) => [text, at]),
      [
        ['D', 'input.0.content'],
        ['S', 'input.1.content.0'],
      ],
    );
    assert.deepEqual(
      chat.turns.map(({ role }) => role),
      ['user', 'system'],
    );
  });

  test('holds texts, images and documents of a user', () => {
    const chat = accepted(
      read({
        role: 'user',
        content: [
          { type: 'input_text', text: 'Look' },
          { type: 'input_image', image_url: 'data:image/png;base64,aGk=', detail: 'auto' },
          { type: 'input_image', image_url: 'https://example.com/a.png' },
          { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,aGkh' },
          { type: 'input_file', file_url: 'https://example.com/a.pdf', detail: 'auto' },
        ],
      }),
    );
    const at = (index: number) => `input.0.content.${index}`;
    assert.deepEqual(chat.turns[0]?.parts, [
      { kind: 'text', at: at(0), text: 'Look' },
      {
        kind: 'image',
        at: at(1),
        source: { kind: 'data', mediaType: 'image/png', base64: 'aGk=' },
        detail: 'auto',
      },
      { kind: 'image', at: at(2), source: { kind: 'url', url: 'https://example.com/a.png' } },
      {
        kind: 'file',
        at: at(3),
        source: { kind: 'data', mediaType: 'application/pdf', base64: 'aGkh' },
        name: 'a.pdf',
      },
      { kind: 'file', at: at(4), source: { kind: 'url', url: 'https://example.com/a.pdf' } },
    ]);
  });

  test('is turns of items that follow each other', () => {
    const id = joinSignature('call_2', { by: 'gemini', value: 'c' });
    const chat = accepted(
      read(
        USER,
        {
          type: 'reasoning',
          id: 'rs_1',
          summary: [
            { type: 'summary_text', text: 'One' },
            { type: 'summary_text', text: 'Two' },
          ],
          encrypted_content: 'kf.anthropic.s',
        },
        { type: 'reasoning', id: 'rs_2', summary: [], encrypted_content: 'redacted.kf.anthropic.r' },
        {
          type: 'message',
          id: 'msg_1',
          status: 'completed',
          role: 'assistant',
          content: [
            { type: 'output_text', text: 'So', annotations: [], logprobs: [] },
            { type: 'refusal', refusal: 'No' },
          ],
        },
        { ...CALL, id: 'fc_1', status: 'completed' },
        { ...CALL, call_id: id, arguments: '' },
        { type: 'function_call_output', call_id: 'call_1', output: 'one' },
        {
          type: 'function_call_output',
          call_id: id,
          output: [
            { type: 'input_text', text: 'two' },
            { type: 'input_image', image_url: 'https://example.com/a.png' },
          ],
        },
        { role: 'assistant', content: 'Done' },
        USER,
      ),
    );
    assert.deepEqual(
      chat.turns.map(({ role, at }) => [role, at]),
      [
        ['user', 'input.0'],
        ['assistant', 'input.1'],
        ['user', 'input.6'],
        ['assistant', 'input.8'],
        ['user', 'input.9'],
      ],
    );
    assert.deepEqual(chat.turns[1]?.parts, [
      {
        kind: 'reasoning',
        at: 'input.1',
        text: 'One\n\nTwo',
        signature: { by: 'anthropic', value: 's' },
      },
      {
        kind: 'reasoning',
        at: 'input.2',
        text: '',
        signature: { by: 'anthropic', value: 'r' },
        isRedacted: true,
      },
      { kind: 'text', at: 'input.3.content.0', text: 'So' },
      { kind: 'refusal', at: 'input.3.content.1', text: 'No' },
      { kind: 'tool_call', at: 'input.4', id: 'call_1', name: 'f', argumentsJson: '{"a":1}' },
      {
        kind: 'tool_call',
        at: 'input.5',
        id: 'call_2',
        name: 'f',
        argumentsJson: '{}',
        signature: { by: 'gemini', value: 'c' },
      },
    ]);
    assert.deepEqual(chat.turns[2]?.parts, [
      {
        kind: 'tool_result',
        at: 'input.6',
        callId: 'call_1',
        content: [{ kind: 'text', at: 'input.6.output', text: 'one' }],
        isError: false,
      },
      {
        kind: 'tool_result',
        at: 'input.7',
        callId: 'call_2',
        content: [
          { kind: 'text', at: 'input.7.output.0', text: 'two' },
          {
            kind: 'image',
            at: 'input.7.output.1',
            source: { kind: 'url', url: 'https://example.com/a.png' },
          },
        ],
        isError: false,
      },
    ]);
  });

  test('may give back OpenAI’s own reasoning, and an open model’s', () => {
    const chat = accepted(
      read(
        USER,
        { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'gAAAAB' },
        { type: 'reasoning', id: 'rs_2', summary: [], content: [{ type: 'reasoning_text', text: 'Hm' }] },
        { role: 'assistant', content: 'x' },
      ),
    );
    assert.deepEqual(chat.turns[1]?.parts, [
      { kind: 'reasoning', at: 'input.1', text: '', signature: { by: 'openai', value: 'gAAAAB' } },
      { kind: 'reasoning', at: 'input.2', text: 'Hm' },
      { kind: 'text', at: 'input.3.content', text: 'x' },
    ]);
  });

  const user = (part: object) => [{ role: 'user', content: [part] }];
  const refusals: readonly [string, readonly object[], string][] = [
    ['an unknown role', [{ role: 'tool', content: 'x' }], 'invalid_request input.0.role'],
    ['a reference', [USER, { type: 'item_reference', id: 'msg_1' }], 'unsupported_parameter input.1.type'],
    [
      'an item of a hosted tool',
      [USER, { type: 'web_search_call', id: 'ws' }],
      'unsupported_parameter input.1.type',
    ],
    ['instructions alone', [{ role: 'system', content: 'x' }], 'unsupported_parameter input'],
    [
      'an unknown part',
      user({ type: 'input_audio', input_audio: {} }),
      'invalid_request input.0.content.0.type',
    ],
    [
      'an image by its id',
      user({ type: 'input_image', file_id: 'f' }),
      'unsupported_parameter input.0.content.0.file_id',
    ],
    [
      'a file by its id',
      user({ type: 'input_file', file_id: 'f' }),
      'unsupported_parameter input.0.content.0.file_id',
    ],
    [
      'a file at a plain http address',
      user({ type: 'input_file', file_url: 'http://a.b/c' }),
      'invalid_request input.0.content.0.file_url',
    ],
    [
      'a file told twice',
      user({ type: 'input_file', file_url: 'https://a.b/c', file_data: 'data:a/b;base64,aGkh' }),
      'invalid_request input.0.content.0.file_url',
    ],
    [
      'a phase',
      [USER, { role: 'assistant', content: 'x', phase: 'commentary' }],
      'unsupported_parameter input.1.phase',
    ],
    [
      'citations',
      [
        USER,
        {
          role: 'assistant',
          content: [{ type: 'output_text', text: 'x', annotations: [{ type: 'url_citation' }] }],
        },
      ],
      'unsupported_parameter input.1.content.0.annotations',
    ],
    [
      'a result without its call',
      [USER, { type: 'function_call_output', call_id: 'c', output: 'x' }],
      'invalid_request input.1.call_id',
    ],
    [
      'arguments that are no object',
      [USER, { ...CALL, arguments: '1' }],
      'invalid_request input.1.arguments',
    ],
    [
      'a call from a program',
      [USER, { ...CALL, caller: { type: 'program', caller_id: 'p' } }],
      'unsupported_parameter input.1.caller',
    ],
    [
      'a call that is not waited for',
      [USER, { ...CALL, async: true }],
      'unsupported_parameter input.1.async',
    ],
    [
      'a signature of no text',
      [USER, { type: 'reasoning', summary: [], encrypted_content: 'text.kf.gemini.x' }],
      'invalid_request input.1.encrypted_content',
    ],
    [
      'reasoning that is only named',
      [USER, { type: 'reasoning', id: 'rs_1', summary: [] }, { role: 'assistant', content: 'x' }],
      'unsupported_parameter input.1.encrypted_content',
    ],
    [
      'an unknown kind of summary',
      [USER, { type: 'reasoning', summary: [{ type: 'text', text: 'x' }] }],
      'invalid_request input.1.summary.0.type',
    ],
  ];
  test("an answer as OpenAI's newer models mark it goes on elsewhere", () => {
    const marked = [
      USER,
      { role: 'assistant', content: 'x', phase: 'final_answer' },
      { ...CALL, async: false, caller: { type: 'direct' } },
    ];
    const plain = [USER, { role: 'assistant', content: 'x' }, CALL];
    assert.deepEqual(accepted(read(...marked)), accepted(read(...plain)));
  });

  for (const [what, input, expected] of refusals) {
    test(`is refused by name: ${what}`, () => {
      assert.equal(refused(read(...input)), expected);
    });
  }
});
