import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import type { ChatEvent, Signature } from '../chat.ts';
import type { AnswerContext } from '../dialect.ts';
import { AnthropicStreamEncoder } from './encode-stream.ts';

const CONTEXT: AnswerContext = { requestId: 'req_1', model: 'fast', createdAtS: 1, wantsUsage: false };
const signature: Signature = { by: 'anthropic', value: 'c2ln' };
const foreign: Signature = { by: 'gemini', value: 'Z2Vt' };
const START: ChatEvent = { kind: 'start', id: 'chatcmpl-1', model: 'gpt-9' };
const usage = {
  inputTokens: 1,
  cachedInputTokens: 2,
  cacheWriteTokens: 3,
  longCacheWriteTokens: 4,
  outputTokens: 5,
  reasoningTokens: 6,
};

function encode(events: readonly ChatEvent[]): string {
  const encoder = new AnthropicStreamEncoder(CONTEXT);
  return events.map((event) => encoder.push(event)).join('');
}

/** What Anthropic's own client makes of the stream. */
async function received(events: readonly ChatEvent[]): Promise<Anthropic.Message> {
  const headers = { 'content-type': 'text/event-stream' };
  const client = new Anthropic({
    apiKey: 'k',
    maxRetries: 0,
    fetch: () => Promise.resolve(new Response(encode(events), { headers })),
  });
  const message = { role: 'user', content: 'x' } as const;
  return client.messages.stream({ model: 'm', max_tokens: 9, messages: [message] }).finalMessage();
}

function typesIn(stream: string): readonly string[] {
  return [...stream.matchAll(/^event: (.*)$/gm)].map(([, name]) => name ?? '');
}

describe('AnthropicStreamEncoder', () => {
  test("Anthropic's own client gets the message that was meant", async () => {
    const message = await received([
      START,
      { kind: 'reasoning', choice: 0, text: 'Let ' },
      { kind: 'reasoning', choice: 0, text: 'me see.' },
      { kind: 'signature', choice: 0, signature },
      { kind: 'signature', choice: 0, signature: foreign, isRedacted: true },
      { kind: 'text', choice: 0, text: 'Looking — ' },
      { kind: 'text', choice: 0, text: '"言葉"\n' },
      { kind: 'tool_call', choice: 0, id: 'c1', name: 'look', signature: foreign },
      { kind: 'tool_arguments', choice: 0, json: '{"a":' },
      { kind: 'tool_arguments', choice: 0, json: '[1,2]}' },
      { kind: 'tool_call', choice: 0, id: 'c2', name: 'see' },
      { kind: 'stop', choice: 0, stop: { reason: 'tool_calls' } },
      { kind: 'usage', usage },
      { kind: 'end' },
    ]);
    const caller = { type: 'direct' };
    assert.deepEqual(JSON.parse(JSON.stringify(message.content)), [
      { type: 'thinking', thinking: 'Let me see.', signature: 'c2ln' },
      { type: 'redacted_thinking', data: 'kf.gemini.Z2Vt' },
      { type: 'text', text: 'Looking — "言葉"\n', citations: null },
      { type: 'tool_use', id: 'c1__kf_gemini_WjJWdA', name: 'look', input: { a: [1, 2] }, caller },
      { type: 'tool_use', id: 'c2', name: 'see', input: {}, caller },
    ]);
    assert.deepEqual(
      [message.id, message.model, message.stop_reason, message.stop_sequence],
      ['chatcmpl-1', 'gpt-9', 'tool_use', null],
    );
    assert.deepEqual(
      [message.usage.input_tokens, message.usage.cache_read_input_tokens, message.usage.output_tokens],
      [1, 2, 11],
    );
    assert.equal(message.usage.cache_creation_input_tokens, 7);
    assert.deepEqual(message.usage.output_tokens_details, { thinking_tokens: 6 });
  });

  test('events come in the documented order, and each block is closed before the next', () => {
    const stream = encode([
      START,
      { kind: 'text', choice: 0, text: 'a' },
      { kind: 'tool_call', choice: 0, id: 'c', name: 'n' },
      { kind: 'tool_arguments', choice: 0, json: '{}' },
      { kind: 'stop', choice: 0, stop: { reason: 'end' } },
      { kind: 'end' },
    ]);
    assert.deepEqual(typesIn(stream), [
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ]);
    for (const line of stream.split('\n')) {
      if (line.startsWith('data: ')) assert.equal(typeof JSON.parse(line.slice(6)), 'object');
    }
  });

  test('text goes out with its event', () => {
    const encoder = new AnthropicStreamEncoder(CONTEXT);
    assert.deepEqual(typesIn(encoder.push(START)), ['message_start']);
    const said = encoder.push({ kind: 'text', choice: 0, text: 'a' });
    assert.deepEqual(typesIn(said), ['content_block_start', 'content_block_delta']);
    const more = encoder.push({ kind: 'text', choice: 0, text: 'b' });
    assert.deepEqual(typesIn(more), ['content_block_delta']);
  });

  test("a call's signature rides in its id, also where it comes after the call", async () => {
    const message = await received([
      START,
      { kind: 'tool_call', choice: 0, id: 'c1', name: 'n' },
      { kind: 'signature', choice: 0, signature: foreign },
      { kind: 'stop', choice: 0, stop: { reason: 'tool_calls' } },
      { kind: 'end' },
    ]);
    const [block] = message.content;
    assert.equal(block?.type === 'tool_use' && block.id, 'c1__kf_gemini_WjJWdA');
  });

  test('two thoughts, each signed, are two blocks, and a signed text is a text', async () => {
    const message = await received([
      START,
      { kind: 'reasoning', choice: 0, text: 'a' },
      { kind: 'signature', choice: 0, signature },
      { kind: 'reasoning', choice: 0, text: '' },
      { kind: 'signature', choice: 0, signature },
      { kind: 'text', choice: 0, text: 'b' },
      { kind: 'signature', choice: 0, signature: foreign },
      { kind: 'refusal', choice: 0, text: 'No.' },
      { kind: 'stop', choice: 0, stop: { reason: 'refusal' } },
      { kind: 'end' },
    ]);
    assert.deepEqual(
      message.content.map(({ type }) => type),
      ['thinking', 'thinking', 'text', 'text'],
    );
    assert.equal(message.stop_reason, 'refusal');
  });

  test('usage that nobody knows is null at the end, never zero', () => {
    const stream = encode([START, { kind: 'stop', choice: 0, stop: { reason: 'end' } }, { kind: 'end' }]);
    assert.match(stream, /"type":"message_delta".*"output_tokens":null/);
  });

  test('nothing is sent for what this dialect has no word for', () => {
    const encoder = new AnthropicStreamEncoder(CONTEXT);
    encoder.push(START);
    const silent: ChatEvent[] = [
      { kind: 'text', choice: 1, text: 'b' },
      { kind: 'text', choice: 0, text: '' },
      { kind: 'logprobs', choice: 0, tokens: [] },
      { kind: 'tool_arguments', choice: 0, json: '{}' },
      { kind: 'signature', choice: 0, signature },
      { kind: 'failed' },
    ];
    for (const event of silent) assert.equal(encoder.push(event), '', event.kind);
  });

  test("Keyfold's own id and the name that was asked stand in for what the vendor does not say", async () => {
    const { id, model } = await received([{ kind: 'start', id: '', model: '' }, { kind: 'end' }]);
    assert.deepEqual([id, model], ['req_1', 'fast']);
  });
});
