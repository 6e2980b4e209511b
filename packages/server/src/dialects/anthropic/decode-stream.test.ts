import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ChatEvent } from '../chat.ts';
import { AnthropicStreamDecoder } from './decode-stream.ts';

function fixture(name: string): string {
  return readFileSync(new URL(`../../providers/anthropic/__fixtures__/${name}`, import.meta.url), 'utf8');
}

function decode(stream: string): readonly ChatEvent[] {
  const decoder = new AnthropicStreamDecoder();
  const events = stream.split('\n\n').flatMap((event) => {
    const name = /^event: (.*)$/m.exec(event)?.[1] ?? '';
    const data = /^data: (.*)$/m.exec(event)?.[1] ?? '';
    return decoder.push({ name, data });
  });
  return [...events, ...decoder.finish()];
}

function event(fields: { readonly type: string; readonly [field: string]: unknown }): string {
  return `event: ${fields.type}\ndata: ${JSON.stringify(fields)}\n\n`;
}

const block = (content_block: object, index = 0) =>
  event({ type: 'content_block_start', index, content_block });
const delta = (fields: object, index = 0) => event({ type: 'content_block_delta', index, delta: fields });
const start = (usage?: object) => event({ type: 'message_start', message: { id: 'm', model: 'c', usage } });
const STOP = event({ type: 'message_stop' });

describe('AnthropicStreamDecoder', () => {
  test('reads a stream with thinking as Anthropic documents it', () => {
    assert.deepEqual(decode(fixture('stream-thinking.sse')), [
      { kind: 'start', id: 'msg_fixture2', model: 'claude-sonnet-5-5' },
      { kind: 'reasoning', choice: 0, text: '' },
      { kind: 'reasoning', choice: 0, text: '27 × 453 = ' },
      { kind: 'reasoning', choice: 0, text: '12,231' },
      { kind: 'signature', choice: 0, signature: { by: 'anthropic', value: 'Zml4dHVyZQ==' } },
      { kind: 'text', choice: 0, text: '12,231' },
      { kind: 'stop', choice: 0, stop: { reason: 'end' } },
      {
        kind: 'usage',
        usage: {
          inputTokens: 43,
          cachedInputTokens: 0,
          cacheWriteTokens: 0,
          longCacheWriteTokens: 0,
          outputTokens: 36,
          reasoningTokens: 312,
        },
      },
      { kind: 'end' },
    ]);
  });

  test('a call comes before its arguments, which are what was sent', () => {
    const events = decode(fixture('stream-tools.sse'));
    const call = events.findIndex(({ kind }) => kind === 'tool_call');
    const json = events.flatMap((each) => (each.kind === 'tool_arguments' ? [each.json] : []));
    assert.ok(call !== -1 && call < events.findIndex(({ kind }) => kind === 'tool_arguments'));
    assert.equal(typeof JSON.parse(json.join('')), 'object');
    assert.deepEqual(events.at(-1), { kind: 'end' });
  });

  test('an input that comes whole is the arguments', () => {
    const events = decode(block({ type: 'tool_use', id: 'c', name: 'n', input: { a: 1 } }));
    assert.deepEqual(events, [
      { kind: 'tool_call', choice: 0, id: 'c', name: 'n' },
      { kind: 'tool_arguments', choice: 0, json: '{"a":1}' },
    ]);
  });

  test('thinking that is not shown is a part, as its signature must come back', () => {
    const signature = { type: 'signature_delta', signature: 's' };
    const hidden = block({ type: 'thinking', thinking: '', signature: '' }) + delta(signature);
    const sealed = block({ type: 'redacted_thinking', data: 'd' }, 1);
    assert.deepEqual(decode(hidden + sealed), [
      { kind: 'reasoning', choice: 0, text: '' },
      { kind: 'signature', choice: 0, signature: { by: 'anthropic', value: 's' } },
      { kind: 'signature', choice: 0, signature: { by: 'anthropic', value: 'd' }, isRedacted: true },
    ]);
  });

  test('of running totals the last one counts, and a beginning alone is no usage', () => {
    const total = (output_tokens: number) => event({ type: 'message_delta', usage: { output_tokens } });
    const usageOf = (stream: string) =>
      decode(stream).flatMap((each) => (each.kind === 'usage' ? [each.usage.outputTokens] : []));
    const begun = start({ input_tokens: 3, output_tokens: 1 });
    assert.deepEqual(usageOf(begun + total(2) + total(9) + STOP), [9]);
    assert.deepEqual(usageOf(begun + total(2) + total(-9) + STOP), []);
    assert.deepEqual(usageOf(begun + STOP), []);
    assert.deepEqual(usageOf(total(2) + STOP), []);
    assert.deepEqual(decode(fixture('stream-no-usage.sse')).at(-1), { kind: 'end' });
  });

  test('pings, citations, server tools and whatever is new say nothing', () => {
    const stream =
      event({ type: 'ping' }) +
      event({ type: 'new_event' }) +
      delta({ type: 'citations_delta', citation: {} }) +
      block({ type: 'server_tool_use', id: 's', name: 'web_search', input: {} }) +
      delta({ type: 'input_json_delta', partial_json: '{"query":"x"}' }) +
      block({ type: 'web_search_tool_result', content: [] });
    assert.deepEqual(decode(stream), []);
  });

  test('an error ends everything, by its name or by its type', () => {
    assert.deepEqual(decode(fixture('stream-error.sse')).at(-1), { kind: 'failed' });
    for (const error of ['event: error\ndata: overloaded\n\n', 'data: {"type":"error"}\n\n']) {
      assert.deepEqual(decode(error + start() + STOP), [{ kind: 'failed' }]);
    }
  });

  test('a stream that is cut off has no end', () => {
    const whole = fixture('stream-usage.sse');
    const cut = whole.slice(0, whole.indexOf('event: message_stop'));
    assert.ok(decode(cut).every(({ kind }) => kind !== 'end' && kind !== 'usage'));
  });

  test('never throws, whatever comes', () => {
    const type = fc.constantFrom(
      'message_start',
      'content_block_start',
      'content_block_delta',
      'message_delta',
      'message_stop',
      'error',
    );
    const value = fc.oneof(
      fc.jsonValue(),
      fc.record({
        type: fc.constantFrom('text', 'thinking', 'tool_use', 'text_delta', 'input_json_delta'),
        text: fc.jsonValue(),
        input: fc.jsonValue(),
        partial_json: fc.jsonValue(),
      }),
    );
    const sent = fc.record({
      type,
      message: value,
      content_block: value,
      delta: value,
      usage: fc.jsonValue(),
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(sent.map(event), fc.string())), (events) => {
        decode(events.join(''));
      }),
    );
    const deep = '['.repeat(200_000);
    assert.deepEqual(decode(`data: {"type":"message_start","x":${deep}${']'.repeat(200_000)}}\n\n`), []);
  });
});
