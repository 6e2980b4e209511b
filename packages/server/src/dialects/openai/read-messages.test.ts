import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { joinSignature } from '../signatures.ts';
import { accepted, refused, sent } from './test-openai.ts';
import { IMAGE_BYTES_MAX } from './read-media.ts';
import { readRequest } from './read-request.ts';

function read(messages: readonly object[]) {
  return readRequest(sent({ model: 'm', messages }));
}

const CALL = { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } };

describe('the messages of a request', () => {
  test('that instruct come apart from what was said, by either role, and in the middle are turns', () => {
    const chat = accepted(
      read([
        { role: 'system', content: 'S' },
        { role: 'developer', content: [{ type: 'text', text: 'D' }] },
        { role: 'system', content: '' },
        { role: 'user', content: 'Hi' },
        { role: 'developer', content: 'Now be brief' },
      ]),
    );
    assert.deepEqual(chat.system, [
      { kind: 'text', at: 'messages.0.content', text: 'S' },
      { kind: 'text', at: 'messages.1.content.0', text: 'D' },
    ]);
    assert.deepEqual(
      chat.turns.map(({ role, at }) => [role, at]),
      [
        ['user', 'messages.3'],
        ['system', 'messages.4'],
      ],
    );
  });

  test('of a user hold texts, images, recordings and documents', () => {
    const chat = accepted(
      read([
        {
          role: 'user',
          content: [
            { type: 'text', text: 'Look', prompt_cache_breakpoint: { mode: 'explicit' } },
            { type: 'image_url', image_url: { url: 'data:image/PNG;base64,aGk=', detail: 'low' } },
            { type: 'image_url', image_url: { url: 'https://example.com/a.jpg' } },
            { type: 'input_audio', input_audio: { data: 'aGk=', format: 'mp3' } },
            { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,aGkh' } },
          ],
        },
      ]),
    );
    const at = (index: number) => `messages.0.content.${index}`;
    assert.deepEqual(chat.turns[0]?.parts, [
      { kind: 'text', at: at(0), text: 'Look' },
      {
        kind: 'image',
        at: at(1),
        source: { kind: 'data', mediaType: 'image/png', base64: 'aGk=' },
        detail: 'low',
      },
      { kind: 'image', at: at(2), source: { kind: 'url', url: 'https://example.com/a.jpg' } },
      { kind: 'audio', at: at(3), source: { kind: 'data', mediaType: 'audio/mp3', base64: 'aGk=' } },
      {
        kind: 'file',
        at: at(4),
        source: { kind: 'data', mediaType: 'application/pdf', base64: 'aGkh' },
        name: 'a.pdf',
      },
    ]);
  });

  test('that answer tools one after the other are one turn, apart from what the user says then', () => {
    const second = { ...CALL, id: 'call_2', function: { name: 'g', arguments: '' } };
    const chat = accepted(
      read([
        { role: 'user', content: 'Go' },
        { role: 'assistant', content: null, tool_calls: [CALL, { ...second, index: 1 }] },
        { role: 'tool', tool_call_id: 'call_1', content: 'one', name: 'f' },
        { role: 'tool', tool_call_id: 'call_2', content: [{ type: 'text', text: 'two' }] },
        { role: 'user', content: 'Well?' },
      ]),
    );
    assert.deepEqual(chat.turns.slice(1), [
      {
        role: 'assistant',
        at: 'messages.1',
        parts: [
          {
            kind: 'tool_call',
            at: 'messages.1.tool_calls.0',
            id: 'call_1',
            name: 'f',
            argumentsJson: '{"a":1}',
          },
          { kind: 'tool_call', at: 'messages.1.tool_calls.1', id: 'call_2', name: 'g', argumentsJson: '{}' },
        ],
      },
      {
        role: 'user',
        at: 'messages.2',
        parts: [
          {
            kind: 'tool_result',
            at: 'messages.2',
            callId: 'call_1',
            content: [{ kind: 'text', at: 'messages.2.content', text: 'one' }],
            isError: false,
          },
          {
            kind: 'tool_result',
            at: 'messages.3',
            callId: 'call_2',
            content: [{ kind: 'text', at: 'messages.3.content.0', text: 'two' }],
            isError: false,
          },
        ],
      },
      {
        role: 'user',
        at: 'messages.4',
        parts: [{ kind: 'text', at: 'messages.4.content', text: 'Well?' }],
      },
    ]);
  });

  test('of an assistant may be what the official client made of an answer', () => {
    const chat = accepted(
      read([
        { role: 'user', content: 'Go' },
        {
          role: 'assistant',
          content: '',
          refusal: 'I will not.',
          annotations: [],
          audio: null,
          function_call: null,
        },
      ]),
    );
    assert.deepEqual(chat.turns[1]?.parts, [
      { kind: 'refusal', at: 'messages.1.refusal', text: 'I will not.' },
    ]);
  });

  test('of an assistant may have what the official client has parsed out of them', () => {
    const call = { ...CALL, function: { ...CALL.function, parsed_arguments: { a: 1 } } };
    const parsed = { role: 'assistant', content: '{"b":2}', parsed: { b: 2 }, tool_calls: [call] };
    const plain = { role: 'assistant', content: '{"b":2}', tool_calls: [CALL] };
    const user = { role: 'user', content: 'Go' };
    assert.deepEqual(accepted(read([user, parsed])), accepted(read([user, plain])));
  });

  test('give back signed reasoning, signed text and signed calls', () => {
    const signature = { by: 'gemini', value: 'c2ln' } as const;
    const id = joinSignature('call_1', signature);
    const chat = accepted(
      read([
        { role: 'user', content: 'Go' },
        {
          role: 'assistant',
          content: 'So',
          reasoning_content: 'Think',
          reasoning_details: [
            { type: 'reasoning', text: 'Think', signature: 'kf.anthropic.abc' },
            { type: 'redacted', signature: 'kf.anthropic.def' },
            { type: 'text', signature: 'kf.gemini.ghi' },
          ],
          tool_calls: [{ ...CALL, id }],
        },
        { role: 'tool', tool_call_id: id, content: '' },
      ]),
    );
    assert.deepEqual(chat.turns[1]?.parts, [
      {
        kind: 'reasoning',
        at: 'messages.1.reasoning_details.0',
        text: 'Think',
        signature: { by: 'anthropic', value: 'abc' },
      },
      {
        kind: 'reasoning',
        at: 'messages.1.reasoning_details.1',
        text: '',
        signature: { by: 'anthropic', value: 'def' },
        isRedacted: true,
      },
      {
        kind: 'text',
        at: 'messages.1.content',
        text: 'So',
        signature: { by: 'gemini', value: 'ghi' },
      },
      {
        kind: 'tool_call',
        at: 'messages.1.tool_calls.0',
        id: 'call_1',
        name: 'f',
        argumentsJson: '{"a":1}',
        signature,
      },
    ]);
    assert.deepEqual(chat.turns[2]?.parts, [
      { kind: 'tool_result', at: 'messages.2', callId: 'call_1', content: [], isError: false },
    ]);
  });

  test('give back unsigned reasoning as it was shown', () => {
    const chat = accepted(
      read([
        { role: 'user', content: 'Go' },
        { role: 'assistant', content: 'So', reasoning_content: 'Think' },
      ]),
    );
    assert.deepEqual(chat.turns[1]?.parts[0], {
      kind: 'reasoning',
      at: 'messages.1.reasoning_content',
      text: 'Think',
    });
  });

  const user = (content: unknown) => [{ role: 'user', content }];
  const image = (url: string) => user([{ type: 'image_url', image_url: { url } }]);
  const assistant = (fields: object) => [
    { role: 'user', content: 'x' },
    { role: 'assistant', ...fields },
  ];
  const IMAGE_URL = 'invalid_request messages.0.content.0.image_url.url';
  const refusals: readonly [string, readonly object[], string][] = [
    ['an unknown role', [{ role: 'narrator', content: 'x' }], 'invalid_request messages.0.role'],
    [
      'the older role of functions',
      [{ role: 'function', name: 'f', content: 'x' }],
      'unsupported_parameter messages.0.role',
    ],
    ['a message that is no object', ['x' as unknown as object], 'invalid_request messages.0'],
    ['instructions alone', [{ role: 'system', content: 'x' }], 'unsupported_parameter messages'],
    ['an unknown part', user([{ type: 'video' }]), 'invalid_request messages.0.content.0.type'],
    ['an empty list of parts', user([]), 'invalid_request messages.0.content'],
    ['content of another type', user(5), 'invalid_request messages.0.content'],
    ['no content', user(null), 'invalid_request messages.0.content'],
    [
      'a participant’s name',
      [{ role: 'user', content: 'x', name: 'Ann' }],
      'unsupported_parameter messages.0.name',
    ],
    ['a plain http address', image('http://example.com/a.png'), IMAGE_URL],
    ['another type of image', image('data:image/tiff;base64,aGk='), IMAGE_URL],
    ['data that is not base64', image('data:image/png;base64,a~k='), IMAGE_URL],
    ['data of a wrong length', image('data:image/png;base64,aGk'), IMAGE_URL],
    ['data without base64', image('data:image/png,hi'), IMAGE_URL],
    [
      'an image in full detail',
      user([{ type: 'image_url', image_url: { url: 'https://example.com/a', detail: 'original' } }]),
      'unsupported_parameter messages.0.content.0.image_url.detail',
    ],
    [
      'another format of audio',
      user([{ type: 'input_audio', input_audio: { data: 'aGk=', format: 'ogg' } }]),
      'invalid_request messages.0.content.0.input_audio.format',
    ],
    [
      'a file by its id',
      user([{ type: 'file', file: { file_id: 'file-1' } }]),
      'unsupported_parameter messages.0.content.0.file.file_id',
    ],
    [
      'a file of no type',
      user([{ type: 'file', file: { file_data: 'aGk=' } }]),
      'invalid_request messages.0.content.0.file.file_data',
    ],
    [
      'a result without its call',
      [...user('x'), { role: 'tool', tool_call_id: 'call_9', content: 'x' }],
      'invalid_request messages.1.tool_call_id',
    ],
    [
      'an image in a result',
      [
        ...assistant({ tool_calls: [CALL] }),
        { role: 'tool', tool_call_id: 'call_1', content: [{ type: 'image_url', image_url: { url: 'x' } }] },
      ],
      'invalid_request messages.2.content.0.type',
    ],
    [
      'a custom call',
      assistant({ tool_calls: [{ id: 'c', type: 'custom', custom: { name: 'x', input: 'y' } }] }),
      'unsupported_parameter messages.1.tool_calls.0.type',
    ],
    [
      'arguments that are no object',
      assistant({ tool_calls: [{ id: 'c', type: 'function', function: { name: 'f', arguments: '[1]' } }] }),
      'invalid_request messages.1.tool_calls.0.function.arguments',
    ],
    [
      'the older call of a function',
      assistant({ content: null, function_call: { name: 'f', arguments: '{}' } }),
      'unsupported_parameter messages.1.function_call',
    ],
    [
      'spoken history',
      assistant({ content: 'x', audio: { id: 'a' } }),
      'unsupported_parameter messages.1.audio',
    ],
    ['an assistant that says nothing', assistant({ content: null }), 'invalid_request messages.1.content'],
    [
      'citations',
      assistant({ content: 'x', annotations: [{ type: 'url_citation' }] }),
      'unsupported_parameter messages.1.annotations',
    ],
    [
      'an unknown kind of reasoning',
      assistant({ content: 'x', reasoning_details: [{ type: 'summary', signature: 'x' }] }),
      'invalid_request messages.1.reasoning_details.0.type',
    ],
  ];
  for (const [what, messages, expected] of refusals) {
    test(`are refused by name: ${what}`, () => {
      assert.equal(refused(read(messages)), expected);
    });
  }

  test('hold images up to a size', () => {
    const base64 = (bytes: number) => Buffer.alloc(bytes).toString('base64');
    accepted(read(image(`data:image/png;base64,${base64(IMAGE_BYTES_MAX)}`)));
    assert.equal(refused(read(image(`data:image/png;base64,${base64(IMAGE_BYTES_MAX + 1)}`))), IMAGE_URL);
  });
});
