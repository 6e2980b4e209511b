import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ChatEvent } from '../chat.ts';
import { GeminiStreamDecoder } from './decode-stream.ts';

const FIXTURES = new URL('../../providers/gemini/__fixtures__/', import.meta.url);

function decode(...answers: unknown[]): ChatEvent[] {
  const decoder = new GeminiStreamDecoder();
  const pushed = answers.flatMap((answer) => decoder.push({ name: '', data: JSON.stringify(answer) }));
  return [...pushed, ...decoder.finish()];
}

function decodeFixture(name: string): ChatEvent[] {
  const text = readFileSync(new URL(name, FIXTURES), 'utf8');
  return decode(...[...text.matchAll(/^data: (.*)$/gm)].map(([, json = '']): unknown => JSON.parse(json)));
}

function piece(part: unknown, more: object = {}): unknown {
  return { candidates: [{ content: { parts: [part], role: 'model' }, index: 0, ...more }] };
}

describe('a streamed answer', () => {
  test('has thoughts, text, the signature that closes it, and the last of the running totals', () => {
    assert.deepEqual(decodeFixture('stream-thinking.sse'), [
      { kind: 'start', id: 'fixture-8', model: 'gemini-fixture' },
      { kind: 'reasoning', choice: 0, text: '**Weighing**' },
      { kind: 'text', choice: 0, text: 'Four.' },
      { kind: 'signature', choice: 0, signature: { by: 'gemini', value: 'c2lnbmF0dXJl' } },
      { kind: 'stop', choice: 0, stop: { reason: 'end' } },
      {
        kind: 'usage',
        usage: {
          inputTokens: 9,
          cachedInputTokens: 0,
          cacheWriteTokens: 0,
          outputTokens: 4,
          reasoningTokens: 41,
        },
      },
      { kind: 'end' },
    ]);
  });

  test('has whole calls, and waits for their results', () => {
    const events = decodeFixture('stream-tools.sse');
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['start', 'tool_call', 'tool_arguments', 'stop', 'usage', 'end'],
    );
    assert.deepEqual(events[1], {
      kind: 'tool_call',
      choice: 0,
      id: 'call_fixture-9_0_0',
      name: 'report',
      signature: { by: 'gemini', value: 'c2lnbmF0dXJl' },
    });
    assert.deepEqual(events[3], { kind: 'stop', choice: 0, stop: { reason: 'tool_calls' } });
  });

  test('of a blocked prompt is complete, and empty', () => {
    assert.deepEqual(
      decodeFixture('stream-blocked.sse').filter(({ kind }) => kind !== 'usage'),
      [
        { kind: 'start', id: 'fixture-10', model: 'gemini-fixture' },
        { kind: 'stop', choice: 0, stop: { reason: 'filter' } },
        { kind: 'end' },
      ],
    );
  });

  test('that the vendor breaks off has failed, and nothing follows', () => {
    const events = decode(
      piece({ text: 'a' }),
      { error: { code: 503 } },
      piece({ text: 'b' }, { finishReason: 'STOP' }),
    );
    assert.deepEqual(events.slice(1), [{ kind: 'text', choice: 0, text: 'a' }, { kind: 'failed' }]);
  });

  test('that ends without a reason is not complete', () => {
    assert.deepEqual(decode(piece({ text: 'a' })).at(-1), { kind: 'text', choice: 0, text: 'a' });
    const two = decode(piece({ text: 'a' }, { finishReason: 'STOP' }), piece({ text: 'b' }, { index: 1 }));
    assert.equal(two.at(-1)?.kind, 'text');
    assert.deepEqual(decode(), []);
  });

  test('has a text part for a signature that no text is before', () => {
    const events = decode(
      piece({ functionCall: { id: 'x', name: 'f' } }),
      piece({ text: '', thoughtSignature: 'AAAA' }, { finishReason: 'STOP' }),
    );
    assert.deepEqual(events.slice(1, 5), [
      { kind: 'tool_call', choice: 0, id: 'x', name: 'f' },
      { kind: 'tool_arguments', choice: 0, json: '{}' },
      { kind: 'text', choice: 0, text: '' },
      { kind: 'signature', choice: 0, signature: { by: 'gemini', value: 'AAAA' } },
    ]);
  });

  test('does not throw, whatever comes', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string(), fc.json())), (datas) => {
        const decoder = new GeminiStreamDecoder();
        for (const data of datas) decoder.push({ name: '', data });
        assert.ok(!decoder.finish().some(({ kind }) => kind === 'end'));
      }),
    );
  });
});
