import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Endpoint, LocalAnswer } from '../provider.ts';
import { type CallOptions, modelCall, runTap } from '../../../test/model-call.ts';
import { answer } from './answer.ts';
import { sandbox } from './provider.ts';

interface Parsed {
  readonly id: string;
  readonly model: string;
  readonly choices: {
    index: number;
    text?: string;
    message?: { role: string; content: string };
    delta?: { role?: string; content?: string };
    finish_reason: string | null;
  }[];
  readonly usage: Record<string, unknown> | null;
  readonly data: { index: number; embedding: number[] | string }[];
  readonly error?: { param: string };
}

function ask(body: object, options: CallOptions = {}): LocalAnswer {
  return answer(modelCall({ model: 'echo', ...body }, options));
}

function parse(local: LocalAnswer): Parsed {
  assert.equal(local.headers['content-type'], 'application/json');
  return JSON.parse(Buffer.concat(local.chunks).toString()) as Parsed;
}

function chat(content: unknown, others: object = {}): Parsed {
  return parse(ask({ messages: [{ role: 'user', content }], ...others }));
}

function events(local: LocalAnswer): Parsed[] {
  assert.match(local.headers['content-type'] ?? '', /^text\/event-stream/);
  assert.equal(local.chunks.at(-1)?.toString(), 'data: [DONE]\n\n');
  return local.chunks.slice(0, -1).map((chunk) => {
    const text = chunk.toString();
    assert.match(text, /^data: [^\n]+\n\n$/);
    return JSON.parse(text.slice(6)) as Parsed;
  });
}

describe('answer', () => {
  test('echoes the last user message', () => {
    const messages = [
      { role: 'system', content: 'be brief' },
      { role: 'user', content: 'first' },
      { role: 'assistant', content: 'reply' },
      { role: 'user', content: 'second' },
      { role: 'assistant', content: 'prefill' },
    ];
    const [choice] = parse(ask({ messages })).choices;
    assert.deepEqual(choice?.message, { role: 'assistant', content: 'second', refusal: null });
    assert.equal(choice?.finish_reason, 'stop');
  });

  test('joins the text parts of a message and leaves out the others', () => {
    const parts = [
      { type: 'text', text: 'a' },
      { type: 'image_url', image_url: { url: 'data:,' } },
      { type: 'text', text: 'b' },
      null,
    ];
    assert.equal(chat(parts).choices[0]?.message?.content, 'ab');
    assert.equal(chat(null).choices[0]?.message?.content, '');
  });

  test('equal bodies have equal answers, and other bodies have other ids', () => {
    const body = { messages: [{ role: 'user', content: 'x' }] };
    assert.deepEqual(ask(body), ask(body));
    assert.notEqual(parse(ask(body)).id, parse(ask({ ...body, temperature: 1 })).id);
  });

  test('counts a token for every four bytes, of input and of output', () => {
    const { usage } = chat('héllo', { n: 2 });
    assert.deepEqual(
      [usage?.['prompt_tokens'], usage?.['completion_tokens'], usage?.['total_tokens']],
      [2, 4, 6],
    );
  });

  test('stops at the lowest output limit and says so', () => {
    for (const limit of [
      { max_tokens: 1 },
      { max_completion_tokens: 1 },
      { max_tokens: 5, max_completion_tokens: 1 },
    ]) {
      const { choices, usage } = chat('abcdefgh', limit);
      assert.equal(choices[0]?.message?.content, 'abcd');
      assert.equal(choices[0]?.finish_reason, 'length');
      assert.equal(usage?.['completion_tokens'], 1);
    }
    assert.equal(chat('abcd', { max_tokens: 1 }).choices[0]?.finish_reason, 'stop');
    const capped = parse(ask({ messages: [{ role: 'user', content: 'abcdefgh' }] }, { outputTokensCap: 1 }));
    assert.equal(capped.choices[0]?.finish_reason, 'length');
  });

  test('never cuts a character and never exceeds the limit', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme', maxLength: 60 }),
        fc.integer({ min: 1, max: 20 }),
        (text, limit) => {
          const { choices, usage } = chat(text, { max_tokens: limit });
          const content = choices[0]?.message?.content ?? '';
          assert.ok(text.toWellFormed().startsWith(content));
          assert.ok((usage?.['completion_tokens'] as number) <= limit);
        },
      ),
    );
  });

  test('gives as many choices as were asked for', () => {
    const { choices } = chat('hi', { n: 3 });
    assert.deepEqual(
      choices.map((choice) => [choice.index, choice.message?.content]),
      [
        [0, 'hi'],
        [1, 'hi'],
        [2, 'hi'],
      ],
    );
  });

  test('a stream tells what the whole answer tells', () => {
    const content = 'a text that is longer than one piece, with 言葉 and 🌊';
    const body = { messages: [{ role: 'user', content }], n: 2, max_tokens: 12 };
    const whole = parse(ask(body));
    const streamed = events(ask({ ...body, stream: true, stream_options: { include_usage: true } }));
    for (const index of [0, 1]) {
      const mine = streamed.flatMap((event) => event.choices).filter((choice) => choice.index === index);
      assert.equal(mine[0]?.delta?.role, 'assistant');
      assert.equal(
        mine.map((choice) => choice.delta?.content ?? '').join(''),
        whole.choices[index]?.message?.content,
      );
      assert.equal(mine.at(-1)?.finish_reason, 'length');
      assert.ok(mine.length > 4);
    }
    const last = streamed.pop();
    assert.deepEqual([last?.choices, last?.usage], [[], whole.usage]);
    for (const event of streamed) assert.equal(event.usage, null);
    assert.equal(new Set(streamed.map((event) => event.id)).size, 1);
  });

  test('through its tap, a client that did not ask for usage sees none', () => {
    const call = modelCall({ model: 'echo', stream: true, messages: [{ role: 'user', content: 'hello' }] });
    const { relayed, summary } = runTap(sandbox.createStreamTap(call), Buffer.concat(answer(call).chunks));
    assert.ok(!relayed.includes('usage'));
    assert.equal(summary.completed, true);
    assert.ok('usage' in summary.reading);
    assert.equal(summary.reading.usage.outputTokens, 2);
  });

  test('completes prompts, whole and streamed', () => {
    const endpoint: Endpoint = 'completions';
    const whole = parse(ask({ prompt: 'abc' }, { endpoint }));
    assert.equal(whole.choices[0]?.text, 'abc');
    assert.match(whole.id, /^cmpl-/);
    const streamed = events(ask({ prompt: ['ab', 'c'], stream: true }, { endpoint }));
    assert.equal(
      streamed
        .flatMap((event) => event.choices)
        .map((choice) => choice.text)
        .join(''),
      'abc',
    );
  });

  test('embeds texts as vectors of length one, the same text always alike', () => {
    const endpoint: Endpoint = 'embeddings';
    const { data, usage } = parse(ask({ input: ['a', 'b', 'a'], dimensions: 100 }, { endpoint }));
    const vectors = data.map((entry) => entry.embedding as number[]);
    assert.deepEqual(vectors[0], vectors[2]);
    assert.notDeepEqual(vectors[0], vectors[1]);
    for (const vector of vectors) {
      assert.equal(vector.length, 100);
      assert.ok(Math.abs(vector.reduce((sum, value) => sum + value * value, 0) - 1) < 1e-5);
    }
    assert.deepEqual(usage, { prompt_tokens: 3, total_tokens: 3 });
    const encoded = parse(ask({ input: 'a', dimensions: 100, encoding_format: 'base64' }, { endpoint }));
    const bytes = Buffer.from(encoded.data[0]?.embedding as string, 'base64');
    assert.deepEqual(
      Array.from(vectors[0] ?? [], (_value, index) => bytes.readFloatLE(index * 4)),
      vectors[0],
    );
  });

  test('refuses what it cannot take, by name', () => {
    const wrong: readonly [Endpoint, object, string][] = [
      ['chat.completions', {}, 'messages'],
      ['chat.completions', { messages: [] }, 'messages'],
      ['chat.completions', { messages: 'x' }, 'messages'],
      ['chat.completions', { messages: [{}], n: 0 }, 'n'],
      ['chat.completions', { messages: [{}], n: 1000 }, 'n'],
      ['chat.completions', { messages: [{}], max_tokens: 1.5 }, 'max_tokens'],
      ['chat.completions', { messages: [{}], max_completion_tokens: '5' }, 'max_completion_tokens'],
      ['completions', { prompt: [1, 2] }, 'prompt'],
      ['embeddings', {}, 'input'],
      ['embeddings', { input: [] }, 'input'],
      ['embeddings', { input: 'x', dimensions: 1_000_000 }, 'dimensions'],
    ];
    for (const [endpoint, body, param] of wrong) {
      const refusal = ask(body, { endpoint });
      assert.equal(refusal.status, 400);
      assert.equal(parse(refusal).error?.param, param);
    }
  });
});
