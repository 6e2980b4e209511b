import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mapUsage } from '../../providers/gemini/map-usage.ts';
import type { AssistantPart, ChatAnswer } from '../chat.ts';
import { readAnswer } from './read-answer.ts';
import { ANSWER, CONTEXT } from './test-chats.ts';
import { writeAnswer } from './write-answer.ts';

function written(answer: ChatAnswer): Record<string, unknown> {
  return JSON.parse(writeAnswer(answer, CONTEXT).toString()) as Record<string, unknown>;
}

function answerOf(...parts: AssistantPart[]): ChatAnswer {
  return { id: '', model: '', choices: [{ parts, stop: { reason: 'end' } }], usage: undefined };
}

describe('writeAnswer', () => {
  test('an answer that is read again is the same', () => {
    assert.deepEqual(readAnswer(writeAnswer(ANSWER, CONTEXT)), ANSWER);
  });

  test("what the vendor does not name is named by Keyfold's request and by what was asked", () => {
    assert.deepEqual(written(answerOf({ kind: 'text', text: 'x', at: '' })), {
      candidates: [{ content: { role: 'model', parts: [{ text: 'x' }] }, finishReason: 'STOP', index: 0 }],
      modelVersion: 'gemini-asked',
      responseId: 'req-1',
    });
  });

  test('another vendor’s signatures are base64, and come back', () => {
    const parts: AssistantPart[] = [
      { kind: 'reasoning', text: 'Hm', signature: { by: 'anthropic', value: 'E/+=' }, at: '' },
      { kind: 'reasoning', text: '', signature: { by: 'anthropic', value: 'R' }, isRedacted: true, at: '' },
    ];
    const body = writeAnswer(answerOf(...parts), CONTEXT);
    for (const [, signature = ''] of body.toString().matchAll(/"thoughtSignature":"([^"]*)"/g)) {
      assert.equal(Buffer.from(signature, 'base64').toString('base64'), signature);
    }
    assert.deepEqual(readAnswer(body)?.choices[0]?.parts, parts);
  });

  test('a refusal is text, and its reason that of a filter', () => {
    const answer = answerOf({ kind: 'refusal', text: 'No.', at: '' });
    const [choice] = answer.choices;
    assert.ok(choice !== undefined);
    assert.deepEqual(
      written({ ...answer, choices: [{ ...choice, stop: { reason: 'refusal' } }] })['candidates'],
      [{ content: { role: 'model', parts: [{ text: 'No.' }] }, finishReason: 'SAFETY', index: 0 }],
    );
  });

  test('a call whose arguments are no object is one that the model got wrong', () => {
    for (const argumentsJson of ['{"a":', '[1]', '{"a":1,"a":2}']) {
      const answer = answerOf({ kind: 'tool_call', id: '1', name: 'f', argumentsJson, at: '' });
      assert.deepEqual(written(answer)['candidates'], [
        { content: { role: 'model', parts: [] }, finishReason: 'MALFORMED_FUNCTION_CALL', index: 0 },
      ]);
    }
  });

  test('usage adds up as Gemini’s does', () => {
    const usage = {
      inputTokens: 1,
      cachedInputTokens: 2,
      cacheWriteTokens: 4,
      longCacheWriteTokens: 8,
      outputTokens: 16,
      reasoningTokens: 32,
    };
    assert.deepEqual(mapUsage(written({ ...answerOf(), usage })['usageMetadata']), {
      usage: {
        inputTokens: 13,
        cachedInputTokens: 2,
        cacheWriteTokens: 0,
        outputTokens: 16,
        reasoningTokens: 32,
      },
    });
  });
});
