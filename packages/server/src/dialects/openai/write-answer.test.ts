import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mapUsage } from '../../providers/openai-compatible/map-usage.ts';
import type { Choice } from '../chat.ts';
import { splitSignature } from '../signatures.ts';
import { readAnswer } from './read-answer.ts';
import { readRequest } from './read-request.ts';
import { answerOf, called, said, SIGNED, USAGE } from './test-answers.ts';
import { accepted, clientOf, CONTEXT, sent } from './test-openai.ts';
import { writeAnswer } from './write-answer.ts';

const BODY = { model: 'm', messages: [{ role: 'user' as const, content: 'x' }] };

async function received(...choices: readonly Choice[]) {
  return clientOf(writeAnswer(answerOf(...choices), CONTEXT)).chat.completions.create(BODY);
}

describe('an answer to a client of chat completions', () => {
  test('is what the official client takes it for', async () => {
    const completion = await received(
      {
        parts: [
          { kind: 'reasoning', at: '', text: 'Hm.' },
          said('Let me '),
          said('see.'),
          called('call_1', 'f', '{"a":1}'),
          called('call_2', 'g', '{}'),
        ],
        stop: { reason: 'tool_calls' },
      },
      {
        parts: [said('ok')],
        stop: { reason: 'end' },
        logprobs: [
          {
            token: 'ok',
            logprob: -0.5,
            bytes: [111, 107],
            alternatives: [{ token: 'no', logprob: -1 }],
          },
        ],
      },
    );
    assert.deepEqual(completion.choices, [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: 'Let me see.',
          refusal: null,
          reasoning_content: 'Hm.',
          tool_calls: [
            { id: 'call_1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
            { id: 'call_2', type: 'function', function: { name: 'g', arguments: '{}' } },
          ],
        },
        logprobs: null,
        finish_reason: 'tool_calls',
      },
      {
        index: 1,
        message: { role: 'assistant', content: 'ok', refusal: null },
        logprobs: {
          content: [
            {
              token: 'ok',
              logprob: -0.5,
              bytes: [111, 107],
              top_logprobs: [{ token: 'no', logprob: -1, bytes: null }],
            },
          ],
          refusal: null,
        },
        finish_reason: 'stop',
      },
    ]);
    const { id, model, object, created } = completion;
    assert.deepEqual(
      { id, model, object, created },
      {
        id: 'answer-1',
        model: 'some-model',
        object: 'chat.completion',
        created: CONTEXT.createdAtS,
      },
    );
  });

  test('has the usage in OpenAI’s sums, which are read as the same classes', async () => {
    const { usage } = await received({ parts: [said('x')], stop: { reason: 'end' } });
    assert.deepEqual(usage, {
      prompt_tokens: 1106,
      completion_tokens: 76,
      total_tokens: 1182,
      prompt_tokens_details: { cached_tokens: 1024, cache_write_tokens: 2 },
      completion_tokens_details: { reasoning_tokens: 64 },
    });
    assert.deepEqual(mapUsage('chat.completions', usage), { usage: USAGE });
  });

  test('has no usage where it cannot be believed, and names of ours where the vendor has none', () => {
    const body = writeAnswer({ id: '', model: '', choices: [], usage: undefined }, CONTEXT);
    assert.deepEqual(JSON.parse(body.toString()), {
      id: 'chatcmpl-req_1',
      object: 'chat.completion',
      created: CONTEXT.createdAtS,
      model: 'asked-model',
      choices: [],
    });
  });

  test('says why it ended in OpenAI’s words', async () => {
    const reasons = ['end', 'length', 'tool_calls', 'stop_sequence', 'filter', 'refusal'] as const;
    const completion = await received(
      ...reasons.map((reason) => ({ parts: [said('x')], stop: { reason } })),
      {
        parts: [{ kind: 'refusal', at: '', text: 'No.' }],
        stop: { reason: 'refusal' },
      },
    );
    assert.deepEqual(
      completion.choices.map((choice) => choice.finish_reason),
      ['stop', 'length', 'tool_calls', 'stop', 'content_filter', 'content_filter', 'stop'],
    );
    assert.equal(completion.choices.at(-1)?.message.refusal, 'No.');
  });

  test('carries signatures that come back with the history', async () => {
    const parts = [
      { kind: 'reasoning', at: '', text: 'One', signature: SIGNED },
      { kind: 'reasoning', at: '', text: '', signature: { by: 'anthropic', value: 'r' }, isRedacted: true },
      { kind: 'text', at: '', text: 'So', signature: { by: 'gemini', value: 't' } },
      {
        kind: 'tool_call',
        at: '',
        id: 'call_1',
        name: 'f',
        argumentsJson: '{"a":12345678901234567890}',
        signature: { by: 'gemini', value: 'c/+=' },
      },
    ] as const;
    const completion = await received({ parts, stop: { reason: 'tool_calls' } });
    const message = completion.choices[0]?.message;
    assert.ok(message);
    const id = message.tool_calls?.[0]?.id ?? '';
    assert.deepEqual(splitSignature(id).id, 'call_1');
    const next = readRequest(
      sent({
        ...BODY,
        messages: [...BODY.messages, message, { role: 'tool', tool_call_id: id, content: 'r' }],
      }),
    );
    const returned = accepted(next).turns[1]?.parts.map((part) => ({ ...part, at: '' }));
    assert.deepEqual(returned, parts);
  });

  test('is read as the answer that it was written from', () => {
    const answer = answerOf(
      { parts: [said('x'), called('c1', 'f', '{"a":1}')], stop: { reason: 'tool_calls' } },
      { parts: [{ kind: 'refusal', at: '', text: 'No.' }], stop: { reason: 'refusal' } },
      {
        parts: [
          { kind: 'reasoning', at: '', text: 'R', signature: { by: 'openai', value: 'reasoning_content' } },
          said('y'),
        ],
        stop: { reason: 'length' },
        logprobs: [{ token: 'y', logprob: -1, bytes: [121], alternatives: [] }],
      },
      { parts: [], stop: { reason: 'filter' } },
    );
    assert.deepEqual(readAnswer(writeAnswer(answer, CONTEXT)), answer);
  });
});
