import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ChatAnswer } from '../chat.ts';
import { readAnswer } from './read-answer.ts';

const FIXTURES = new URL('../../providers/gemini/__fixtures__/', import.meta.url);

function fixture(name: string): ChatAnswer | undefined {
  return readAnswer(readFileSync(new URL(name, FIXTURES)));
}

function answerWith(candidate: unknown, more: object = {}): ChatAnswer | undefined {
  return readAnswer(Buffer.from(JSON.stringify({ candidates: [candidate], ...more })));
}

describe('readAnswer', () => {
  test('a call that ended with STOP waits for its result, and has an id made of the answer', () => {
    assert.deepEqual(fixture('generate-tools.json'), {
      id: 'fixture-5',
      model: 'gemini-fixture',
      choices: [
        {
          parts: [
            {
              kind: 'tool_call',
              id: 'call_fixture-5_0_0',
              name: 'report',
              argumentsJson:
                '{"usageMetadata":{"promptTokenCount":0,"totalTokenCount":0},"groundingMetadata":{"webSearchQueries":["x"]}}',
              signature: { by: 'gemini', value: 'c2lnbmF0dXJl' },
              at: '',
            },
          ],
          stop: { reason: 'tool_calls' },
        },
      ],
      usage: {
        inputTokens: 70,
        cachedInputTokens: 0,
        cacheWriteTokens: 0,
        outputTokens: 25,
        reasoningTokens: 5,
      },
    });
  });

  test('a limit that was reached while thinking', () => {
    const answer = fixture('generate-thinking.json');
    assert.deepEqual(answer?.choices, [{ parts: [], stop: { reason: 'length' } }]);
    assert.equal(answer?.usage?.reasoningTokens, 479);
  });

  test('a blocked prompt is an answer that was filtered', () => {
    assert.deepEqual(fixture('generate-blocked.json')?.choices, [{ parts: [], stop: { reason: 'filter' } }]);
  });

  test('usage that contradicts itself is none', () => {
    const candidate = { content: { parts: [{ text: 'x' }] }, finishReason: 'STOP' };
    const answer = answerWith(candidate, { usageMetadata: { promptTokenCount: 1, totalTokenCount: 9 } });
    assert.equal(answer?.usage, undefined);
    assert.equal(answer?.choices.length, 1);
  });

  test('reasons that it does not know cut the answer off', () => {
    for (const [finishReason, reason] of [
      ['STOP', 'end'],
      ['MAX_TOKENS', 'length'],
      ['CONTINUATION', 'length'],
      ['SAFETY', 'filter'],
      ['MALFORMED_FUNCTION_CALL', 'filter'],
      ['SOMETHING_NEW', 'filter'],
    ]) {
      assert.equal(answerWith({ finishReason })?.choices[0]?.stop.reason, reason);
    }
  });

  test('unknown parts and fields are passed over', () => {
    const parts = [
      { executableCode: {} },
      { text: 'a', wonder: 1 },
      7,
      { functionCall: {} },
      { inlineData: {} },
    ];
    const answer = answerWith({ content: { parts }, finishReason: 'STOP', groundingMetadata: {} });
    assert.deepEqual(answer?.choices[0]?.parts, [{ kind: 'text', text: 'a', at: '' }]);
  });

  test('calls without an answer’s id have different ids where they differ', () => {
    const ids = ['a', 'b'].map((name) => {
      const [part] =
        answerWith({ content: { parts: [{ functionCall: { name } }] }, finishReason: 'STOP' })?.choices[0]
          ?.parts ?? [];
      return part?.kind === 'tool_call' ? part.id : '';
    });
    assert.match(ids[0] ?? '', /^call_[0-9a-f]{24}_0_0$/);
    assert.notEqual(ids[0], ids[1]);
  });

  test('whole numbers beyond a double keep their digits', () => {
    const body =
      '{"candidates":[{"finishReason":"STOP","content":{"parts":[{"functionCall":{"name":"f","args":{"id":12345678901234567890}}}]}}]}';
    const [part] = readAnswer(Buffer.from(body))?.choices[0]?.parts ?? [];
    assert.equal(part?.kind === 'tool_call' && part.argumentsJson, '{"id":12345678901234567890}');
  });

  test('what is no whole answer is none', () => {
    for (const body of [
      '',
      '{',
      '[]',
      '1',
      '{}',
      '{"error":{"code":503}}',
      '{"candidates":[]}',
      '{"candidates":[{}]}',
      '{"candidates":{}}',
    ]) {
      assert.equal(readAnswer(Buffer.from(body)), undefined, body);
    }
  });

  test('no bytes make it throw', () => {
    const keys = fc.constantFrom(
      'candidates',
      'content',
      'parts',
      'text',
      'thought',
      'thoughtSignature',
      'functionCall',
      'name',
      'args',
      'id',
      'finishReason',
      'index',
      'usageMetadata',
      'promptFeedback',
      'blockReason',
      'logprobsResult',
      'chosenCandidates',
      'topCandidates',
      'token',
      'error',
      'responseId',
    );
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 7 },
        fc.constantFrom('STOP', '', 0, -1, 1.5, true, null),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(keys, tie('value'), { maxKeys: 5 }),
      ),
    }));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array().map((bytes) => Buffer.from(bytes)),
          value.map((json) => Buffer.from(JSON.stringify(json))),
        ),
        (body) => {
          readAnswer(body);
        },
      ),
    );
    readAnswer(Buffer.from('['.repeat(200_000)));
  });
});
