import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Choice } from '../chat.ts';
import { answerOf, said } from '../openai/test-answers.ts';
import { accepted, clientOf, CONTEXT, sent } from '../openai/test-openai.ts';
import { readRequest } from './read-request.ts';
import { RICH, RICH_PARTS } from './test-rich-answer.ts';
import { writeAnswer } from './write-answer.ts';

async function received(choice: Choice) {
  const answer = writeAnswer(answerOf(choice), CONTEXT);
  return clientOf(answer).responses.create({ model: 'm', input: 'x', store: false });
}

describe('a response to a client', () => {
  test('is what the official client takes it for', async () => {
    const response = await received({
      parts: [
        said('Let me '),
        said('see.'),
        { kind: 'tool_call', at: '', id: 'call_1', name: 'f', argumentsJson: '{"a":1}' },
      ],
      stop: { reason: 'tool_calls' },
    });
    assert.equal(response.output_text, 'Let me see.');
    assert.deepEqual(response.output, [
      {
        type: 'message',
        id: 'msg_answer-1_0',
        status: 'completed',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'Let me see.', annotations: [], logprobs: [] }],
      },
      {
        type: 'function_call',
        id: 'fc_answer-1_1',
        call_id: 'call_1',
        name: 'f',
        arguments: '{"a":1}',
        status: 'completed',
      },
    ]);
    const { id, model, status, error, incomplete_details: incomplete, created_at: createdAt } = response;
    assert.deepEqual(
      [id, model, status, error, incomplete, createdAt],
      ['answer-1', 'some-model', 'completed', null, null, CONTEXT.createdAtS],
    );
  });

  test('has the usage in OpenAI’s sums', async () => {
    const { usage } = await received({ parts: [said('x')], stop: { reason: 'end' } });
    assert.deepEqual(usage, {
      input_tokens: 1106,
      input_tokens_details: { cached_tokens: 1024, cache_write_tokens: 2 },
      output_tokens: 76,
      output_tokens_details: { reasoning_tokens: 64 },
      total_tokens: 1182,
    });
  });

  test('is incomplete where the model was cut off, and says why', async () => {
    const cut = await received({ parts: [said('x')], stop: { reason: 'length' } });
    assert.equal(cut.status, 'incomplete');
    assert.deepEqual(cut.incomplete_details, { reason: 'max_output_tokens' });
    const [item] = cut.output;
    assert.ok(item?.type === 'message');
    assert.equal(item.status, 'incomplete');
    for (const reason of ['filter', 'refusal'] as const) {
      const { incomplete_details: details } = await received({ parts: [said('x')], stop: { reason } });
      assert.deepEqual(details, { reason: 'content_filter' });
    }
  });

  test('tells a refusal by its words', async () => {
    const parts = [{ kind: 'refusal', at: '', text: 'I will not.' }] as const;
    const response = await received({ parts, stop: { reason: 'refusal' } });
    assert.equal(response.status, 'completed');
    const [item] = response.output;
    assert.ok(item?.type === 'message');
    assert.deepEqual(item.content, [{ type: 'refusal', refusal: 'I will not.' }]);
  });

  test('has the log probabilities with the last text', async () => {
    const logprobs = [{ token: 'b', logprob: -1, bytes: [98], alternatives: [{ token: 'c', logprob: -2 }] }];
    const { output } = await received({ parts: [said('a'), said('b')], stop: { reason: 'end' }, logprobs });
    const [item] = output;
    assert.ok(item?.type === 'message' && item.content[0]?.type === 'output_text');
    assert.deepEqual(item.content[0].logprobs, [
      { token: 'b', logprob: -1, bytes: [98], top_logprobs: [{ token: 'c', logprob: -2, bytes: [] }] },
    ]);
  });

  test('is parsed by the official client where a format was asked for', async () => {
    const text = { format: { type: 'json_schema', name: 'a', schema: {}, strict: true } } as const;
    const answer = writeAnswer(answerOf({ parts: [said('{"a":1}')], stop: { reason: 'end' } }), CONTEXT);
    const parsed = await clientOf(answer).responses.parse({ model: 'm', input: 'x', text });
    assert.equal(parsed.output_text, '{"a":1}');
  });

  test('comes back with the next request as it was, signatures and all', async () => {
    const { output } = await clientOf(writeAnswer(RICH, CONTEXT)).responses.create({
      model: 'm',
      input: 'x',
    });
    const next = readRequest(sent({ model: 'm', input: [{ role: 'user', content: 'x' }, ...output] }));
    const parts = accepted(next).turns[1]?.parts.map((part) => ({ ...part, at: '' }));
    assert.deepEqual(parts, RICH_PARTS);
  });

  test('has names of ours where the vendor has none', () => {
    const body = writeAnswer({ id: '', model: '', choices: [], usage: undefined }, CONTEXT);
    const { id, model, output, usage } = JSON.parse(body.toString()) as Record<string, unknown>;
    assert.deepEqual([id, model, output, usage], ['resp_req_1', 'asked-model', [], undefined]);
  });
});
