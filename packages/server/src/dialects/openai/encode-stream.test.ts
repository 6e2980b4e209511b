import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { AssistantPart, ChatAnswer, Choice } from '../chat.ts';
import { OpenAiStreamDecoder } from './decode-stream.ts';
import { OpenAiStreamEncoder } from './encode-stream.ts';
import { answerOf, called, said, SIGNED, streamOf, USAGE } from './test-answers.ts';
import { clientOf, CONTEXT, decode, encode, uncut } from './test-openai.ts';
import { writeAnswer } from './write-answer.ts';

const BODY = { model: 'm', messages: [{ role: 'user' as const, content: 'x' }], n: 2 };

function encodeAnswer(answer: ChatAnswer, context = CONTEXT): string {
  return encode(new OpenAiStreamEncoder(context), streamOf(answer));
}

const RICH: readonly Choice[] = [
  {
    parts: [
      { kind: 'reasoning', at: '', text: 'Hm, 言葉.', signature: SIGNED },
      { kind: 'reasoning', at: '', text: '', signature: { by: 'anthropic', value: 'r' }, isRedacted: true },
      said('Let me see.'),
      called('call_1', 'f', '{"a":1}'),
      {
        kind: 'tool_call',
        at: '',
        id: 'call_2',
        name: 'g',
        argumentsJson: '{}',
        signature: { by: 'gemini', value: 'c' },
      },
    ],
    stop: { reason: 'tool_calls' },
  },
  {
    parts: [said('ok')],
    stop: { reason: 'length' },
    logprobs: [{ token: 'ok', logprob: -0.5, bytes: [111, 107], alternatives: [] }],
  },
];

describe('a stream to a client of chat completions', () => {
  test('is to the official client the answer that it would be in one piece', async () => {
    const answer = answerOf(...RICH);
    const whole = await clientOf(writeAnswer(answer, CONTEXT)).chat.completions.create(BODY);
    const streamed = await clientOf(encodeAnswer(answer)).chat.completions.stream(BODY).finalChatCompletion();
    // The client joins texts alone, and keeps the last piece of a field that it does not know.
    const withoutReasoning = (value: unknown): unknown =>
      JSON.parse(
        JSON.stringify(value, (key, each: unknown) =>
          key === 'reasoning_content' || key === 'parsed' ? undefined : each,
        ),
      );
    assert.deepEqual(withoutReasoning(streamed), withoutReasoning(whole));
  });

  test('begins with the role, ends with the reason, the usage and a last line', async () => {
    const text = encodeAnswer(answerOf({ parts: [said('Hi')], stop: { reason: 'end' } }));
    const chunks = text
      .trimEnd()
      .split('\n\n')
      .map((event) => event.slice('data: '.length));
    assert.equal(chunks.pop(), '[DONE]');
    const parsed = chunks.map(
      (chunk) => JSON.parse(chunk) as { choices: unknown; usage: unknown; id: string },
    );
    const choice = (delta: object, finish: string | null = null) => [
      { index: 0, delta, logprobs: null, finish_reason: finish },
    ];
    assert.deepEqual(
      parsed.map(({ choices, usage }) => [choices, usage !== null]),
      [
        [choice({ role: 'assistant', content: '', refusal: null }), false],
        [choice({ content: 'H' }), false],
        [choice({ content: 'i' }), false],
        [choice({}, 'stop'), false],
        [[], true],
      ],
    );
    assert.ok(parsed.every(({ id }) => id === 'answer-1'));
  });

  test('has the usage only where it was asked for', () => {
    const quiet = encodeAnswer(answerOf(...RICH), { ...CONTEXT, wantsUsage: false });
    assert.equal(quiet.includes('"usage"'), false);
    assert.ok(quiet.endsWith('data: [DONE]\n\n'));
  });

  test('shows reasoning as it comes, and gives all signatures together', () => {
    const text = encodeAnswer(answerOf(...RICH));
    const deltas = [...text.matchAll(/"reasoning_content":"([^"]*)"/g)].map(([, piece]) => piece);
    assert.equal(deltas.join(''), 'Hm, 言葉.');
    const details = /"reasoning_details":(\[.*?\])/.exec(text)?.[1] ?? '';
    assert.deepEqual(JSON.parse(details), [
      { type: 'reasoning', text: 'Hm, 言葉.', signature: 'kf.anthropic.c2lnbmF0dXJl' },
      { type: 'redacted', signature: 'kf.anthropic.r' },
    ]);
  });

  test('keeps a late signature of a call apart from its arguments', () => {
    const start = { kind: 'start', id: 'a', model: 'm' } as const;
    const call = { kind: 'tool_call', choice: 0, id: 'c', name: 'f' } as const;
    const rest = [
      { kind: 'tool_arguments', choice: 0, json: '{"a":1}' },
      { kind: 'stop', choice: 0, stop: { reason: 'tool_calls' } },
      { kind: 'end' },
    ] as const;
    const signature = { kind: 'signature', choice: 0, signature: SIGNED } as const;
    const text = encode(new OpenAiStreamEncoder(CONTEXT), [start, call, signature, ...rest]);
    assert.deepEqual(decode(new OpenAiStreamDecoder(), text), [start, call, ...rest]);
    assert.equal(text.includes('reasoning_details'), false);
  });

  test('says a refusal in its field', async () => {
    const refusal = {
      parts: [{ kind: 'refusal', at: '', text: 'I will not.' }],
      stop: { reason: 'refusal' },
    } as const;
    const stream = clientOf(encodeAnswer(answerOf(refusal))).chat.completions.stream(BODY);
    const choice = (await stream.finalChatCompletion()).choices[0];
    assert.deepEqual([choice?.message.refusal, choice?.finish_reason], ['I will not.', 'stop']);
  });

  test('writes nothing where the vendor broke off', () => {
    const encoder = new OpenAiStreamEncoder(CONTEXT);
    assert.equal(encoder.push({ kind: 'failed' }), '');
  });

  test('is read as the pieces that it was written from', () => {
    const words = fc.string({ unit: 'grapheme', minLength: 1 });
    const text = words.map((value) => said(value));
    const reasoning = words.map((value): AssistantPart => ({
      kind: 'reasoning',
      at: '',
      text: value,
      signature: { by: 'openai', value: 'reasoning_content' },
    }));
    const calls = fc
      .array(fc.dictionary(words, fc.integer()), { minLength: 1, maxLength: 3 })
      .map((all) => all.map((each, index) => called(`call_${index}`, 'f', JSON.stringify(each))));
    const optional = (part: fc.Arbitrary<AssistantPart>) => fc.array(part, { maxLength: 1 });
    const spoken = fc
      .tuple(optional(reasoning), text)
      .map(([before, after]): Choice => ({ parts: [...before, after], stop: { reason: 'end' } }));
    const calling = fc
      .tuple(optional(reasoning), optional(text), calls)
      .map((parts): Choice => ({ parts: parts.flat(), stop: { reason: 'tool_calls' } }));
    fc.assert(
      fc.property(fc.array(fc.oneof(spoken, calling), { minLength: 1, maxLength: 3 }), (choices) => {
        const answer = answerOf(...choices);
        const decoded = decode(new OpenAiStreamDecoder(), encodeAnswer(answer));
        // A call without arguments is written with those of an empty object.
        const withoutNone = uncut(decoded).filter(
          (event) => event.kind !== 'tool_arguments' || event.json !== '{}',
        );
        assert.deepEqual(withoutNone, uncut(streamOf(answer)));
      }),
    );
  });

  test('has the usage that the vendor measured', async () => {
    const events = decode(new OpenAiStreamDecoder(), encodeAnswer(answerOf(...RICH)));
    assert.deepEqual(events.at(-2), { kind: 'usage', usage: USAGE });
  });
});
