import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ChatEvent } from '../chat.ts';
import { OpenAiStreamDecoder } from './decode-stream.ts';
import { decode, uncut } from './test-openai.ts';

const FIXTURES = new URL('../../providers/openai-compatible/__fixtures__/', import.meta.url);
const START = { kind: 'start', id: 'chatcmpl-fixture2', model: 'gpt-5-mini' } as const;
const USAGE = {
  kind: 'usage',
  usage: {
    inputTokens: 82,
    cachedInputTokens: 1024,
    cacheWriteTokens: 0,
    outputTokens: 12,
    reasoningTokens: 64,
  },
} as const;

function decodeFixture(name: string): readonly ChatEvent[] {
  return uncut(decode(new OpenAiStreamDecoder(), readFileSync(new URL(name, FIXTURES), 'utf8')));
}

/** The events after `start` of a stream whose only choice has these chunks. */
function decodeChoice(...choices: readonly object[]): readonly ChatEvent[] {
  const chunks = choices.map((choice) =>
    JSON.stringify({ id: 'a', model: 'm', choices: [{ index: 0, ...choice }] }),
  );
  const stream = [...chunks, '[DONE]'].map((data) => `data: ${data}\n\n`).join('');
  return uncut(decode(new OpenAiStreamDecoder(), stream)).slice(1);
}

const call = (fields: object) => ({ delta: { tool_calls: [fields] } });
const STOP = { delta: {}, finish_reason: 'stop' };
const STOPPED_FOR_CALLS = { kind: 'stop', choice: 0, stop: { reason: 'tool_calls' } } as const;

describe('the stream of a compatible server', () => {
  const text = { kind: 'text', choice: 0, text: 'Say "usage": { 言葉 🌊\n\n' } as const;
  const stop = { kind: 'stop', choice: 0, stop: { reason: 'end' } } as const;

  test('is read in the form that OpenAI gives it', () => {
    assert.deepEqual(decodeFixture('chat-usage.sse'), [START, text, stop, USAGE, { kind: 'end' }]);
    assert.deepEqual(decodeFixture('chat-tools.sse'), [
      START,
      { kind: 'tool_call', choice: 0, id: 'call_1', name: 'f' },
      { kind: 'tool_arguments', choice: 0, json: '{"usage":1}' },
      { kind: 'stop', choice: 0, stop: { reason: 'tool_calls' } },
      USAGE,
      { kind: 'end' },
    ]);
  });

  test('may have its usage on the last choice, or none', () => {
    const [usage, end] = decodeFixture('chat-usage-on-last-choice.sse').slice(-2);
    assert.deepEqual([usage?.kind, end?.kind], ['usage', 'end']);
    assert.deepEqual(decodeFixture('chat-no-usage.sse').slice(-2), [stop, { kind: 'end' }]);
  });

  test('is not complete without its last line, and has failed where it says so', () => {
    assert.equal(
      decodeFixture('chat-cut-off.sse').some(({ kind }) => kind === 'end'),
      false,
    );
    assert.deepEqual(decodeFixture('chat-error.sse').slice(-1), [{ kind: 'failed' }]);
    for (const broken of ['data: {"object":"error"}', 'data: {nonsense', 'event: error\ndata: {}']) {
      const events = decode(new OpenAiStreamDecoder(), `${broken}\n\ndata: [DONE]\n\n`);
      assert.deepEqual(events, [{ kind: 'failed' }], broken);
    }
  });

  test('has failed where it ends before its answer does', () => {
    assert.deepEqual(decodeChoice({ delta: { content: 'x' } }).slice(-1), [{ kind: 'failed' }]);
    assert.deepEqual(decodeChoice({ delta: {}, finish_reason: 'abort' }), [{ kind: 'failed' }]);
    assert.deepEqual(decode(new OpenAiStreamDecoder(), 'data: [DONE]\n\n'), [{ kind: 'failed' }]);
  });

  test('signs its reasoning with the field that it came in, where something else begins', () => {
    for (const field of ['reasoning_content', 'reasoning']) {
      const events = decodeChoice(
        { delta: { role: 'assistant', [field]: 'Hm' } },
        { delta: { [field]: ' so', content: null } },
        { delta: { content: 'Yes' } },
        STOP,
      );
      assert.deepEqual(events, [
        { kind: 'reasoning', choice: 0, text: 'Hm so' },
        { kind: 'signature', choice: 0, signature: { by: 'openai', value: field } },
        { kind: 'text', choice: 0, text: 'Yes' },
        stop,
        { kind: 'end' },
      ]);
    }
  });

  test('calls several tools, however it marks where one begins', () => {
    const first = { kind: 'tool_call', choice: 0, id: 'c1', name: 'f' } as const;
    const second = { kind: 'tool_call', choice: 0, id: 'c2', name: 'g' } as const;
    const expected = [
      first,
      { kind: 'tool_arguments', choice: 0, json: '{"a":1}' },
      second,
      { kind: 'tool_arguments', choice: 0, json: '{}' },
      STOPPED_FOR_CALLS,
      { kind: 'end' },
    ];
    const marks: readonly (readonly [object, object])[] = [
      [{ index: 0 }, { index: 1 }],
      [{ index: 0 }, { index: 0 }],
      [{}, {}],
    ];
    for (const [one, two] of marks) {
      const events = decodeChoice(
        call({ ...one, id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a"' } }),
        call({ ...one, function: { arguments: ':1}' } }),
        call({ ...two, id: 'c2', type: 'function', function: { name: 'g', arguments: '{}' } }),
        STOP,
      );
      assert.deepEqual(events, expected, JSON.stringify(one));
    }
  });

  test('may repeat what call it is with every piece', () => {
    const piece = (json: string) => call({ index: 0, id: 'c1', function: { name: 'f', arguments: json } });
    const events = decodeChoice(piece('{"a"'), piece(':1}'), STOP, STOP);
    assert.deepEqual(events, [
      { kind: 'tool_call', choice: 0, id: 'c1', name: 'f' },
      { kind: 'tool_arguments', choice: 0, json: '{"a":1}' },
      STOPPED_FOR_CALLS,
      { kind: 'end' },
    ]);
  });

  test('has failed where the pieces of two calls are mixed', () => {
    const events = decodeChoice(
      call({ index: 0, id: 'c1', function: { name: 'f', arguments: '{' } }),
      call({ index: 1, id: 'c2', function: { name: 'g', arguments: '{' } }),
      call({ index: 0, function: { arguments: '}' } }),
    );
    assert.deepEqual(events.at(-1), { kind: 'failed' });
  });

  test('may begin with chunks that are about something else', () => {
    const stream = ['{"id":"","model":"","choices":[],"prompt_filter_results":[]}'];
    stream.push(
      JSON.stringify({ id: 'a', model: 'm', choices: [{ delta: { content: 'x' }, finish_reason: 'stop' }] }),
    );
    const events = decode(new OpenAiStreamDecoder(), stream.map((data) => `data: ${data}\n\n`).join(''));
    assert.deepEqual(events, [
      { kind: 'start', id: 'a', model: 'm' },
      { kind: 'text', choice: 0, text: 'x' },
      stop,
    ]);
  });

  test('is read without a throw whatever it says, and nothing follows its end', () => {
    const anything = fc.jsonValue({ maxDepth: 3 });
    const delta = fc.record(
      { content: anything, refusal: anything, reasoning: anything, tool_calls: fc.array(anything) },
      { requiredKeys: [] },
    );
    const choice = fc.record(
      { index: fc.oneof(fc.nat(3), anything), delta, finish_reason: anything, logprobs: anything },
      { requiredKeys: [] },
    );
    const chunk = fc.record(
      {
        id: anything,
        choices: fc.array(choice, { maxLength: 3 }),
        usage: anything,
        error: fc.constant(null),
      },
      { requiredKeys: [] },
    );
    const data = fc.oneof(
      { weight: 8, arbitrary: chunk.map((value) => JSON.stringify(value)) },
      fc.string(),
      fc.constant('[DONE]'),
    );
    fc.assert(
      fc.property(fc.array(data), (stream) => {
        const decoder = new OpenAiStreamDecoder();
        const events = stream.flatMap((each) => decoder.push({ name: '', data: each }));
        const last = events.findIndex(({ kind }) => kind === 'end' || kind === 'failed');
        assert.ok(last === -1 || last === events.length - 1);
        assert.deepEqual(decoder.finish(), []);
      }),
    );
  });
});
