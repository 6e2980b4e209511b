import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type OpenAI from 'openai';
import type { Choice } from '../chat.ts';
import { answerOf, said, streamOf } from '../openai/test-answers.ts';
import { clientOf, CONTEXT, encode } from '../openai/test-openai.ts';
import { ResponsesStreamEncoder } from './encode-stream.ts';
import { RICH } from './test-rich-answer.ts';
import { writeAnswer } from './write-answer.ts';

const BODY = { model: 'm', input: 'x' };

function encodeAnswer(answer = RICH): string {
  return encode(new ResponsesStreamEncoder(CONTEXT), streamOf(answer));
}

async function eventsOf(choice: Choice) {
  const stream = await clientOf(encodeAnswer(answerOf(choice))).responses.create({ ...BODY, stream: true });
  const events: OpenAI.Responses.ResponseStreamEvent[] = [];
  for await (const event of stream) events.push(event);
  return events;
}

describe('a streamed response', () => {
  test('is to the official client the response that it would be in one piece', async () => {
    const whole: unknown = JSON.parse(writeAnswer(RICH, CONTEXT).toString());
    const final = await clientOf(encodeAnswer()).responses.stream(BODY).finalResponse();
    // What the client adds to a response.
    const added = new Set(['output_text', 'output_parsed', 'parsed', 'parsed_arguments']);
    const received: unknown = JSON.parse(
      JSON.stringify(final, (key, value: unknown) => (added.has(key) ? undefined : value)),
    );
    assert.deepEqual(received, whole);
  });

  test('has the events that the official client needs, numbered, in their order', async () => {
    const events = await eventsOf({
      parts: [
        { kind: 'reasoning', at: '', text: 'Hm', signature: { by: 'anthropic', value: 's' } },
        said('Hi'),
        { kind: 'tool_call', at: '', id: 'call_1', name: 'f', argumentsJson: '{"a":1}' },
      ],
      stop: { reason: 'tool_calls' },
    });
    assert.deepEqual(
      events.map(({ type }) => type.replace('response.', '')),
      [
        'created',
        'in_progress',
        'output_item.added',
        'reasoning_summary_part.added',
        'reasoning_summary_text.delta',
        'reasoning_summary_text.delta',
        'reasoning_summary_text.done',
        'reasoning_summary_part.done',
        'output_item.done',
        'output_item.added',
        'content_part.added',
        'output_text.delta',
        'output_text.delta',
        'output_text.done',
        'content_part.done',
        'output_item.done',
        'output_item.added',
        'function_call_arguments.delta',
        'function_call_arguments.delta',
        'function_call_arguments.done',
        'output_item.done',
        'completed',
      ],
    );
    assert.deepEqual(
      events.map((event) => event.sequence_number),
      events.map((_, index) => index),
    );
    const indexes = events.flatMap((event) => ('output_index' in event ? [event.output_index] : []));
    assert.deepEqual([...new Set(indexes)], [0, 1, 2]);
  });

  test('names its events by their lines', () => {
    const blocks = encodeAnswer().trimEnd().split('\n\n');
    for (const block of blocks) {
      const [, name, data = ''] = /^event: (\S+)\ndata: (.*)$/.exec(block) ?? [];
      assert.equal((JSON.parse(data) as { type: unknown }).type, name);
    }
  });

  test('ends incomplete where the model was cut off', async () => {
    const events = await eventsOf({ parts: [said('Hi')], stop: { reason: 'length' } });
    const last = events.at(-1);
    assert.ok(last?.type === 'response.incomplete');
    assert.deepEqual(last.response.incomplete_details, { reason: 'max_output_tokens' });
  });

  test('says a refusal in its own events', async () => {
    const parts = [{ kind: 'refusal', at: '', text: 'No.' }] as const;
    const events = await eventsOf({ parts, stop: { reason: 'refusal' } });
    const done = events.find(({ type }) => type === 'response.refusal.done');
    assert.ok(done?.type === 'response.refusal.done');
    assert.equal(done.refusal, 'No.');
    assert.equal(events.at(-1)?.type, 'response.completed');
  });

  test('gives log probabilities as they come, to the text that they are of', async () => {
    const logprobs = [{ token: 'Hi', logprob: -1, bytes: [72, 105], alternatives: [] }];
    const written = [{ token: 'Hi', logprob: -1, bytes: [72, 105], top_logprobs: [] }];
    const events = await eventsOf({ parts: [said('Hi')], stop: { reason: 'end' }, logprobs });
    const given = events.flatMap((event) =>
      event.type === 'response.output_text.delta' ? event.logprobs : [],
    );
    assert.deepEqual(given, written);
    const encoder = new ResponsesStreamEncoder(CONTEXT);
    const early = encode(encoder, [
      { kind: 'start', id: 'a', model: 'm' },
      { kind: 'logprobs', choice: 0, tokens: logprobs },
      { kind: 'text', choice: 0, text: 'Hi' },
      { kind: 'stop', choice: 0, stop: { reason: 'end' } },
      { kind: 'end' },
    ]);
    const final = await clientOf(early).responses.stream(BODY).finalResponse();
    const [item] = final.output;
    assert.ok(item?.type === 'message' && item.content[0]?.type === 'output_text');
    assert.deepEqual(item.content[0].logprobs, written);
  });

  test('writes nothing where the vendor broke off, and nothing of further choices', () => {
    const encoder = new ResponsesStreamEncoder(CONTEXT);
    assert.equal(encoder.push({ kind: 'text', choice: 1, text: 'x' }), '');
    assert.equal(encoder.push({ kind: 'failed' }), '');
  });
});
