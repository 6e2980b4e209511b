import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readAnswer } from './read-answer.ts';

const FIXTURES = new URL('../../providers/openai-compatible/__fixtures__/', import.meta.url);

function readChoice(message: object, fields: object = {}) {
  const choice = { index: 0, message: { role: 'assistant', ...message }, finish_reason: 'stop', ...fields };
  return readAnswer(Buffer.from(JSON.stringify({ id: 'a', model: 'm', choices: [choice] })))?.choices[0];
}

describe('the answer of a compatible server', () => {
  test('is read in the form that OpenAI gives it', () => {
    assert.deepEqual(readAnswer(readFileSync(new URL('chat.json', FIXTURES))), {
      id: 'chatcmpl-fixture1',
      model: 'gpt-5-mini',
      choices: [
        {
          parts: [{ kind: 'text', at: '', text: 'The "usage": of words — 言葉.' }],
          stop: { reason: 'end' },
        },
      ],
      usage: {
        inputTokens: 82,
        cachedInputTokens: 1024,
        cacheWriteTokens: 0,
        outputTokens: 12,
        reasoningTokens: 64,
      },
    });
  });

  test('shows its reasoning under either name, once, and remembers which', () => {
    const reasoning = (value: string) => ({
      kind: 'reasoning',
      at: '',
      text: 'Hm',
      signature: { by: 'openai', value },
    });
    assert.deepEqual(
      readChoice({ content: 'x', reasoning_content: 'Hm' })?.parts[0],
      reasoning('reasoning_content'),
    );
    assert.deepEqual(readChoice({ content: 'x', reasoning: 'Hm' })?.parts[0], reasoning('reasoning'));
    const both = readChoice({ content: 'x', reasoning: 'Hm', reasoning_content: 'Hm' });
    assert.deepEqual(both?.parts, [reasoning('reasoning_content'), { kind: 'text', at: '', text: 'x' }]);
  });

  test('calls tools whatever it says at the end, with ids and arguments where it has none', () => {
    const call = { type: 'function', function: { name: 'f', arguments: '' } };
    const choice = readChoice({ content: null, tool_calls: [call, { ...call, id: 'call_7' }] });
    assert.deepEqual(choice?.stop, { reason: 'tool_calls' });
    const [first, second] = choice?.parts ?? [];
    assert.ok(first?.kind === 'tool_call' && second?.kind === 'tool_call');
    assert.match(first.id, /^call_[0-9a-f]{24}$/);
    assert.deepEqual([first.argumentsJson, second.id], ['{}', 'call_7']);
  });

  test('ends for the reason that it gives', () => {
    const stopFor = (fields: object) => readChoice({ content: 'x' }, fields)?.stop;
    assert.deepEqual(stopFor({ finish_reason: 'length' }), { reason: 'length' });
    assert.deepEqual(stopFor({ finish_reason: 'content_filter' }), { reason: 'filter' });
    assert.deepEqual(stopFor({ finish_reason: 'function_call' }), { reason: 'tool_calls' });
    assert.deepEqual(stopFor({ finish_reason: null }), { reason: 'end' });
    assert.deepEqual(stopFor({ stop_reason: 'END' }), { reason: 'stop_sequence', sequence: 'END' });
    assert.deepEqual(stopFor({ stop_reason: 128_001 }), { reason: 'end' });
    assert.deepEqual(readChoice({ content: null, refusal: 'No.' })?.stop, { reason: 'refusal' });
  });

  test('has log probabilities of what it said and of what it refused', () => {
    const token = (text: string) => ({ token: text, logprob: -1, bytes: null, top_logprobs: [] });
    const choice = readChoice(
      { content: 'a' },
      { logprobs: { content: [token('a')], refusal: [token('b')] } },
    );
    assert.deepEqual(choice?.logprobs, [
      { token: 'a', logprob: -1, alternatives: [] },
      { token: 'b', logprob: -1, alternatives: [] },
    ]);
  });

  test('is none where it broke off, or is something else', () => {
    assert.equal(readChoice({ content: 'x' }, { finish_reason: 'insufficient_system_resource' }), undefined);
    assert.equal(readChoice({ content: [{ type: 'thinking' }] }), undefined);
    for (const body of ['', '[]', '{}', '{"error":{"message":"x"}}', '{"choices":[]}', '{"choices":[{}]}']) {
      assert.equal(readAnswer(Buffer.from(body)), undefined, body);
    }
  });

  test('never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), arbitraryAnswer()), (body) => {
        readAnswer(Buffer.from(body));
      }),
    );
  });
});

/** Of the right form, with anything in its fields. */
function arbitraryAnswer(): fc.Arbitrary<string> {
  const anything = fc.jsonValue();
  const fields = (...names: readonly string[]) =>
    fc.record(Object.fromEntries(names.map((name) => [name, anything])), { requiredKeys: [] });
  return fc
    .tuple(
      fields('content', 'refusal', 'reasoning', 'tool_calls'),
      fields('finish_reason', 'logprobs', 'stop_reason'),
      fields('id', 'model', 'usage'),
    )
    .map(([message, choice, answer]) => JSON.stringify({ ...answer, choices: [{ message, ...choice }] }));
}
