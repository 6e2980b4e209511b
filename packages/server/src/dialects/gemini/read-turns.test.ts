import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AssistantPart } from '../chat.ts';
import { read } from './test-chats.ts';
import { PLACEHOLDER, writeThoughtSignature } from './thought-signatures.ts';

const USER = { role: 'user', parts: [{ text: 'Hi' }] };

function modelParts(...contents: (readonly unknown[])[]): readonly AssistantPart[] {
  const turns = read({ contents: [USER, ...contents.map((parts) => ({ role: 'model', parts }))] }).turns;
  assert.equal(turns.length, 2);
  const [, turn] = turns;
  assert.ok(turn?.role === 'assistant');
  return turn.parts.map((part) => ({ ...part, at: '' }));
}

describe('the contents of a model', () => {
  test('that were streamed are put together again, up to the signature that closes a part', () => {
    const parts = modelParts(
      [{ text: 'Let ', thought: true }],
      [{ text: 'me see', thought: true }],
      [{ text: '', thought: true, thoughtSignature: 'AAAA' }],
      [{ text: 'more', thought: true }],
      [{ text: 'Four' }],
      [{ text: '.' }],
      [{ text: '', thoughtSignature: 'BBBB' }],
      [{ text: '' }],
    );
    assert.deepEqual(parts, [
      { kind: 'reasoning', text: 'Let me see', signature: { by: 'gemini', value: 'AAAA' }, at: '' },
      { kind: 'reasoning', text: 'more', at: '' },
      { kind: 'text', text: 'Four.', signature: { by: 'gemini', value: 'BBBB' }, at: '' },
    ]);
  });

  test("keep another vendor's signature, and what it has encrypted whole", () => {
    const seen = { by: 'anthropic', value: 'Eq+/==' } as const;
    const parts = modelParts([
      { text: 'Hm', thought: true, thoughtSignature: writeThoughtSignature(seen) },
      { text: '', thought: true, thoughtSignature: writeThoughtSignature(seen, true) },
      {
        functionCall: { id: 'a', name: 'f' },
        thoughtSignature: writeThoughtSignature({ by: 'openai', value: 'o' }),
      },
    ]);
    assert.deepEqual(parts, [
      { kind: 'reasoning', text: 'Hm', signature: seen, at: '' },
      { kind: 'reasoning', text: '', signature: seen, isRedacted: true, at: '' },
      {
        kind: 'tool_call',
        id: 'a',
        name: 'f',
        argumentsJson: '{}',
        signature: { by: 'openai', value: 'o' },
        at: '',
      },
    ]);
  });

  test('have no signature where a placeholder stands', () => {
    const [call] = modelParts([{ functionCall: { id: 'a', name: 'f' }, thoughtSignature: PLACEHOLDER }]);
    assert.ok(call?.kind === 'tool_call' && call.signature === undefined);
  });

  test('that are empty are no turn', () => {
    const { turns } = read({ contents: [USER, { role: 'model', parts: [] }, USER] });
    assert.deepEqual(
      turns.map(({ role }) => role),
      ['user', 'user'],
    );
  });
});

describe('results', () => {
  function resultsOf(calls: readonly unknown[], responses: readonly unknown[]): unknown[] {
    const { turns } = read({
      contents: [
        USER,
        { role: 'model', parts: calls.map((functionCall) => ({ functionCall })) },
        { role: 'user', parts: responses.map((functionResponse) => ({ functionResponse })) },
      ],
    });
    return (turns[2]?.parts ?? []).map((part) =>
      part.kind === 'tool_result'
        ? [
            part.callId,
            ...part.content.map((each) => (each.kind === 'text' ? each.text : each.kind)),
            part.isError,
          ]
        : part.kind,
    );
  }

  test('without ids answer the calls of their function in order', () => {
    const calls = [{ name: 'f' }, { name: 'g' }, { name: 'f' }];
    const response = { output: 'x' };
    assert.deepEqual(
      resultsOf(calls, [
        { name: 'f', response },
        { name: 'f', response },
        { name: 'g', response },
      ]),
      [
        ['kf_call_0', 'x', false],
        ['kf_call_2', 'x', false],
        ['kf_call_1', 'x', false],
      ],
    );
  });

  test('with ids answer those', () => {
    const calls = [
      { id: 'a', name: 'f' },
      { id: 'b', name: 'f' },
    ];
    assert.deepEqual(
      resultsOf(calls, [
        { id: 'b', name: 'f', response: {} },
        { name: 'f', response: {} },
      ]),
      [
        ['b', '{}', false],
        ['a', '{}', false],
      ],
    );
  });

  test('are the text of their output or error, or the JSON of all', () => {
    const calls = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ id, name: 'f' }));
    const responses = [
      { output: '' },
      { error: 'no' },
      { error: { code: 5 } },
      { output: [1] },
      { output: 'x', more: 1 },
    ].map((response, index) => ({ id: calls[index]?.id, name: 'f', response }));
    assert.deepEqual(resultsOf(calls, responses), [
      ['a', false],
      ['b', 'no', true],
      ['c', '{"code":5}', true],
      ['d', '[1]', false],
      ['e', '{"output":"x","more":1}', false],
    ]);
  });

  test('may bring media', () => {
    const parts = [{ inlineData: { mimeType: 'image/png', data: 'AAAA', displayName: 'a.png' } }];
    assert.deepEqual(
      resultsOf([{ id: 'a', name: 'f' }], [{ id: 'a', name: 'f', response: { output: 'x' }, parts }]),
      [['a', 'x', 'image', false]],
    );
  });
});

describe('media', () => {
  test('are images, recordings and documents, in either alphabet of base64', () => {
    const { turns } = read({
      contents: [
        {
          parts: [
            { inlineData: { mimeType: 'image/PNG', data: '-_8' } },
            { inlineData: { mimeType: 'audio/wav', data: 'AA==' } },
            { inlineData: { mimeType: 'application/pdf', data: 'AAAA', displayName: 'a.pdf' } },
            { fileData: { mimeType: 'image/jpeg', fileUri: 'https://a.example/b.jpg' } },
          ],
        },
      ],
    });
    assert.deepEqual(turns[0]?.parts, [
      {
        kind: 'image',
        source: { kind: 'data', mediaType: 'image/png', base64: '+/8=' },
        at: 'contents.0.parts.0',
      },
      {
        kind: 'audio',
        source: { kind: 'data', mediaType: 'audio/wav', base64: 'AA==' },
        at: 'contents.0.parts.1',
      },
      {
        kind: 'file',
        source: { kind: 'data', mediaType: 'application/pdf', base64: 'AAAA' },
        name: 'a.pdf',
        at: 'contents.0.parts.2',
      },
      {
        kind: 'image',
        source: { kind: 'url', mediaType: 'image/jpeg', url: 'https://a.example/b.jpg' },
        at: 'contents.0.parts.3',
      },
    ]);
  });
});
