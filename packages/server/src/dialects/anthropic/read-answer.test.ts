import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readAnswer } from './read-answer.ts';

function fixture(name: string): Buffer {
  return readFileSync(new URL(`../../providers/anthropic/__fixtures__/${name}`, import.meta.url));
}

function answerOf(message: object) {
  return readAnswer(Buffer.from(JSON.stringify({ content: [], ...message })));
}

describe('readAnswer', () => {
  test('reads a message as Anthropic documents it', () => {
    assert.deepEqual(readAnswer(fixture('messages.json')), {
      id: 'msg_fixture1',
      model: 'claude-sonnet-5-5',
      choices: [
        {
          parts: [
            {
              kind: 'reasoning',
              at: 'content.0',
              text: 'Words.',
              signature: { by: 'anthropic', value: 'Zml4dHVyZQ==' },
            },
            { kind: 'text', at: 'content.1', text: 'The "usage": of words — 言葉.' },
          ],
          stop: { reason: 'end' },
        },
      ],
      usage: {
        inputTokens: 25,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        longCacheWriteTokens: 0,
        outputTokens: 36,
        reasoningTokens: 312,
      },
    });
  });

  test('why an answer ended is said in neutral words', () => {
    const reasons: readonly [string | null, string][] = [
      ['end_turn', 'end'],
      ['max_tokens', 'length'],
      ['model_context_window_exceeded', 'length'],
      ['stop_sequence', 'stop_sequence'],
      ['tool_use', 'tool_calls'],
      ['refusal', 'refusal'],
      ['pause_turn', 'end'],
      ['new_reason', 'end'],
      [null, 'end'],
    ];
    for (const [stop_reason, reason] of reasons) {
      assert.equal(answerOf({ stop_reason })?.choices[0]?.stop.reason, reason);
    }
    const stopped = answerOf({ stop_reason: 'stop_sequence', stop_sequence: 'END' });
    assert.deepEqual(stopped?.choices[0]?.stop, { reason: 'stop_sequence', sequence: 'END' });
  });

  test('blocks that nobody asked for are passed over', () => {
    const content = [
      { type: 'server_tool_use', id: 's' },
      { type: 'new' },
      7,
      null,
      { type: 'text', text: 'x' },
    ];
    assert.deepEqual(answerOf({ content })?.choices[0]?.parts, [
      { kind: 'text', at: 'content.4', text: 'x' },
    ]);
  });

  test('usage that cannot be believed is none', () => {
    for (const usage of [
      undefined,
      null,
      {},
      { input_tokens: -1, output_tokens: 1 },
      { input_tokens: 1e30 },
    ]) {
      assert.equal(answerOf({ usage })?.usage, undefined);
    }
  });

  test('what is no message is no answer, and nothing throws', () => {
    const deep = `{"content":[${'['.repeat(200_000)}${']'.repeat(200_000)}]}`;
    for (const body of ['', 'null', '[]', '{}', '{"content":{}}', '<html>', deep]) {
      assert.equal(readAnswer(Buffer.from(body)), undefined);
    }
    const block = fc.oneof(
      fc.jsonValue(),
      fc.record({
        type: fc.constantFrom('text', 'thinking', 'redacted_thinking', 'tool_use'),
        text: fc.jsonValue(),
        thinking: fc.jsonValue(),
        signature: fc.jsonValue(),
        id: fc.jsonValue(),
        input: fc.jsonValue(),
      }),
    );
    fc.assert(
      fc.property(fc.array(block), fc.jsonValue(), fc.jsonValue(), (content, usage, stop_reason) => {
        assert.ok(answerOf({ content, usage, stop_reason }) !== undefined);
      }),
    );
  });
});
