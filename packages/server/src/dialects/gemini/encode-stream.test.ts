import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ChatEvent } from '../chat.ts';
import { GeminiStreamDecoder } from './decode-stream.ts';
import { GeminiStreamEncoder } from './encode-stream.ts';
import { CONTEXT, EVENTS } from './test-chats.ts';

interface Sent {
  readonly candidates: readonly {
    readonly content: { readonly parts: readonly object[]; readonly role: string };
    readonly finishReason?: string;
    readonly index: number;
  }[];
  readonly usageMetadata?: object;
  readonly modelVersion: string;
  readonly responseId: string;
}

function encodeLines(events: readonly ChatEvent[]): string[] {
  const encoder = new GeminiStreamEncoder(CONTEXT);
  const text = events.map((event) => encoder.push(event)).join('');
  const lines = text.split('\r\n\r\n');
  assert.equal(lines.pop(), '');
  return lines.map((line) => {
    assert.match(line, /^data: \{.*\}$/);
    return line.slice('data: '.length);
  });
}

function encode(events: readonly ChatEvent[]): Sent[] {
  return encodeLines(events).map((line) => JSON.parse(line) as Sent);
}

function decode(lines: readonly string[]): ChatEvent[] {
  const decoder = new GeminiStreamDecoder();
  const pushed = lines.flatMap((data) => decoder.push({ name: '', data }));
  return [...pushed, ...decoder.finish()];
}

describe('a stream for a client', () => {
  test('that is read again has the same pieces, calls whole', () => {
    const whole = EVENTS.flatMap((event): ChatEvent[] => {
      if (event.kind !== 'tool_arguments')
        return event.kind === 'tool_call' ? [event, argumentsOf(event.id)] : [event];
      return [];
    });
    assert.deepEqual(bySort(decode(encodeLines(EVENTS))), bySort(whole));
  });

  test('has a part in the first candidate of every event, which Google’s client needs to keep the conversation', () => {
    for (const { candidates } of encode(EVENTS)) {
      assert.ok((candidates[0]?.content.parts.length ?? 0) > 0);
      assert.ok(candidates.every(({ content }) => content.role === 'model'));
    }
  });

  test('has the reasons and the usage in its last event', () => {
    const sent = encode(EVENTS);
    assert.ok(
      sent
        .slice(0, -1)
        .every(
          ({ candidates, usageMetadata }) =>
            usageMetadata === undefined && candidates.every(({ finishReason }) => finishReason === undefined),
        ),
    );
    assert.deepEqual(sent.at(-1), {
      candidates: [
        { content: { parts: [{ text: '' }], role: 'model' }, finishReason: 'STOP', index: 0 },
        { content: { parts: [{ text: '' }], role: 'model' }, finishReason: 'STOP', index: 1 },
      ],
      usageMetadata: {
        promptTokenCount: 1,
        candidatesTokenCount: 2,
        totalTokenCount: 6,
        thoughtsTokenCount: 3,
      },
      modelVersion: 'gemini-3-fixture',
      responseId: 'answer-1',
    });
  });

  test('that was cut off or failed has no reason in it', () => {
    const cut = encode([...EVENTS.slice(0, -1), { kind: 'failed' }]);
    assert.ok(
      cut.every(({ candidates }) => candidates.every(({ finishReason }) => finishReason === undefined)),
    );
  });

  test('that names nothing has the names of the request', () => {
    const [first] = encode([
      { kind: 'start', id: '', model: '' },
      { kind: 'text', choice: 0, text: 'x' },
    ]);
    assert.deepEqual([first?.responseId, first?.modelVersion], ['req-1', 'gemini-asked']);
  });

  test('has a call that the model got wrong as a reason, and not as a call', () => {
    const sent = encode([
      { kind: 'tool_call', choice: 0, id: '1', name: 'f' },
      { kind: 'tool_arguments', choice: 0, json: '{"a":' },
      { kind: 'stop', choice: 0, stop: { reason: 'tool_calls' } },
      { kind: 'end' },
    ]);
    assert.equal(sent.length, 1);
    assert.equal(sent[0]?.candidates[0]?.finishReason, 'MALFORMED_FUNCTION_CALL');
  });

  test('has a signature that comes after the arguments on its call', () => {
    const events: ChatEvent[] = [
      { kind: 'tool_call', choice: 0, id: '1', name: 'f' },
      { kind: 'signature', choice: 0, signature: { by: 'gemini', value: 'AAAA' } },
      { kind: 'stop', choice: 0, stop: { reason: 'tool_calls' } },
      { kind: 'end' },
    ];
    assert.deepEqual(encode(events)[0]?.candidates[0]?.content.parts, [
      { functionCall: { id: '1', name: 'f', args: {} }, thoughtSignature: 'AAAA' },
    ]);
  });
});

function argumentsOf(id: string): ChatEvent {
  const pieces: string[] = [];
  let open = '';
  for (const event of EVENTS) {
    if (event.kind === 'tool_call') open = event.id;
    if (event.kind === 'tool_arguments' && open === id) pieces.push(event.json);
  }
  return { kind: 'tool_arguments', choice: 0, json: pieces.join('') || '{}' };
}

/** The order within each choice is what counts; those of others come in between. */
function bySort(events: readonly ChatEvent[]): ChatEvent[] {
  const choiceOf = (event: ChatEvent): number =>
    'choice' in event ? event.choice : event.kind === 'start' ? -1 : 9;
  return [...events].sort((a, b) => choiceOf(a) - choiceOf(b));
}
