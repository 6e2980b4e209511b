import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import { mapUsage } from '../../providers/anthropic/map-usage.ts';
import type { AssistantPart, ChatAnswer, StopReason } from '../chat.ts';
import type { AnswerContext } from '../dialect.ts';
import { writeAnswer } from './write-answer.ts';

const CONTEXT: AnswerContext = { requestId: 'req_1', model: 'fast', createdAtS: 1, wantsUsage: false };
const usage = {
  inputTokens: 1,
  cachedInputTokens: 2,
  cacheWriteTokens: 3,
  longCacheWriteTokens: 4,
  outputTokens: 5,
  reasoningTokens: 6,
};

function answerOf(parts: readonly AssistantPart[], reason: StopReason = 'end'): ChatAnswer {
  return { id: 'chatcmpl-1', model: 'gpt-9', choices: [{ parts, stop: { reason } }], usage };
}

/** What Anthropic's own client makes of the answer. */
async function received(answer: ChatAnswer): Promise<Anthropic.Message> {
  const headers = { 'content-type': 'application/json' };
  const body = new Uint8Array(writeAnswer(answer, CONTEXT));
  const fetch = () => Promise.resolve(new Response(body, { headers }));
  const client = new Anthropic({ apiKey: 'k', maxRetries: 0, fetch });
  return client.messages.create({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'x' }] });
}

describe('writeAnswer', () => {
  test("Anthropic's own client gets the message that was meant", async () => {
    const message = await received(
      answerOf(
        [
          { kind: 'reasoning', at: 'a', text: 'Hm.' },
          { kind: 'text', at: 'a', text: '' },
          { kind: 'text', at: 'a', text: 'Hi', signature: { by: 'gemini', value: 'x' } },
          { kind: 'refusal', at: 'a', text: 'No.' },
          { kind: 'tool_call', at: 'a', id: 'c', name: 'look', argumentsJson: '{"a":1}' },
        ],
        'tool_calls',
      ),
    );
    assert.deepEqual(message.content, [
      { type: 'thinking', thinking: 'Hm.', signature: '' },
      { type: 'text', text: 'Hi', citations: null },
      { type: 'text', text: 'No.', citations: null },
      { type: 'tool_use', id: 'c', name: 'look', input: { a: 1 }, caller: { type: 'direct' } },
    ]);
    assert.deepEqual(
      [message.type, message.role, message.id, message.model, message.stop_reason],
      ['message', 'assistant', 'chatcmpl-1', 'gpt-9', 'tool_use'],
    );
    assert.deepEqual(mapUsage(message.usage), { usage });
  });

  test('what is not text is in the totals', async () => {
    const media = {
      audioInputTokens: 10,
      cachedAudioInputTokens: 20,
      imageInputTokens: 30,
      audioOutputTokens: 40,
    };
    const answer: ChatAnswer = { ...answerOf([]), usage: { ...usage, ...media, imageOutputTokens: 50 } };
    const told = (await received(answer)).usage;
    assert.deepEqual(
      [told.input_tokens, told.cache_read_input_tokens, told.output_tokens],
      [1 + 10 + 30, 2 + 20, 5 + 6 + 40 + 50],
    );
  });

  test('every reason has its word', async () => {
    const words: readonly [StopReason, string][] = [
      ['end', 'end_turn'],
      ['length', 'max_tokens'],
      ['stop_sequence', 'stop_sequence'],
      ['tool_calls', 'tool_use'],
      ['filter', 'refusal'],
      ['refusal', 'refusal'],
    ];
    for (const [reason, word] of words)
      assert.equal((await received(answerOf([], reason))).stop_reason, word);
  });

  test('arguments that were cut off are wrapped as Anthropic says, and not lost', async () => {
    const call = { kind: 'tool_call', at: 'a', id: 'c', name: 'n', argumentsJson: '{"a":' } as const;
    const [block] = (await received(answerOf([call], 'length'))).content;
    assert.deepEqual(block?.type === 'tool_use' && block.input, { INVALID_JSON: '{"a":' });
  });

  test('an answer without choices says nothing, and unknown usage is null', async () => {
    const { content, stop_reason, usage, id } = await received({
      id: '',
      model: '',
      choices: [],
      usage: undefined,
    });
    assert.deepEqual([content, stop_reason, id], [[], null, 'req_1']);
    assert.equal(usage.input_tokens, null);
    assert.equal(usage.output_tokens, null);
  });
});
