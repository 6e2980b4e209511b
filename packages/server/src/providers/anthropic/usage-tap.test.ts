import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import Anthropic from '@anthropic-ai/sdk';
import fc from 'fast-check';
import { runTap, type TapResult } from '../../../test/model-call.ts';
import { EVENT_BYTES_MAX } from '../event-stream.ts';
import { AnthropicStreamTap } from './usage-tap.ts';

const COMPLETE = [
  'stream-usage.sse',
  'stream-cached.sse',
  'stream-tools.sse',
  'stream-thinking.sse',
  'stream-search.sse',
];
const FIXTURES = [...COMPLETE, 'stream-no-usage.sse', 'stream-error.sse'];
const PLAIN = {
  inputTokens: 25,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  longCacheWriteTokens: 0,
  outputTokens: 15,
  reasoningTokens: 0,
};

function fixture(name: string): Buffer {
  return readFileSync(new URL(`__fixtures__/${name}`, import.meta.url));
}

function run(stream: string | Buffer, cuts: readonly number[] = []): TapResult {
  return runTap(new AnthropicStreamTap(), Buffer.from(stream), cuts);
}

function event(data: { readonly type: string }): string {
  return `event: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`;
}

const start = (usage: unknown) => event({ type: 'message_start', message: { usage } } as { type: string });
const delta = (usage: unknown) => event({ type: 'message_delta', usage } as { type: string });
const STOP = event({ type: 'message_stop' });

describe('AnthropicStreamTap', () => {
  test('reads the usage that a stream reports in parts', () => {
    const expected: Readonly<Record<string, object>> = {
      'stream-usage.sse': { usage: PLAIN },
      'stream-cached.sse': {
        usage: {
          inputTokens: 4,
          cachedInputTokens: 1800,
          cacheWriteTokens: 148,
          longCacheWriteTokens: 100,
          outputTokens: 503,
          reasoningTokens: 0,
        },
      },
      'stream-tools.sse': { usage: { ...PLAIN, inputTokens: 472, outputTokens: 89 } },
      'stream-thinking.sse': {
        usage: { ...PLAIN, inputTokens: 43, outputTokens: 36, reasoningTokens: 312 },
      },
      'stream-search.sse': {
        usage: {
          inputTokens: 10_682,
          cachedInputTokens: 2400,
          cacheWriteTokens: 3000,
          longCacheWriteTokens: 100,
          outputTokens: 510,
          reasoningTokens: 0,
        },
        unpriced: ['web_search'],
      },
    };
    for (const name of COMPLETE) {
      const { summary } = run(fixture(name));
      assert.deepEqual(summary, { reading: expected[name], completed: true }, name);
    }
  });

  test("reads what Anthropic's own client reads", async () => {
    for (const name of COMPLETE) {
      const client = new Anthropic({
        apiKey: 'k',
        fetch: () =>
          Promise.resolve(
            new Response(new Uint8Array(fixture(name)), { headers: { 'content-type': 'text/event-stream' } }),
          ),
      });
      const message = await client.messages
        .stream({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: 'x' }] })
        .finalMessage();
      const { reading } = run(fixture(name)).summary;
      assert.ok('usage' in reading);
      const { usage } = reading;
      const written = usage.cacheWriteTokens + (usage.longCacheWriteTokens ?? 0);
      assert.equal(usage.inputTokens, message.usage.input_tokens, name);
      assert.equal(usage.cachedInputTokens, message.usage.cache_read_input_tokens ?? 0, name);
      assert.equal(written, message.usage.cache_creation_input_tokens ?? 0, name);
      assert.equal(usage.outputTokens + usage.reasoningTokens, message.usage.output_tokens, name);
      assert.equal(usage.reasoningTokens, message.usage.output_tokens_details?.thinking_tokens ?? 0, name);
    }
  });

  test('withholds nothing: every chunk passes as the very same buffer', () => {
    for (const name of FIXTURES) {
      const stream = fixture(name);
      assert.equal(run(stream).relayed, stream.toString(), name);
    }
    const tap = new AnthropicStreamTap();
    const half = Buffer.from('event: message_delta\ndata: {"type":"message_delta","usa');
    assert.equal(tap.push(half), half);
  });

  test('however the stream is cut, client and summary are the same', () => {
    for (const name of FIXTURES) {
      for (const stream of [fixture(name), Buffer.from(fixture(name).toString().replaceAll('\n', '\r\n'))]) {
        const whole = run(stream);
        assert.deepEqual(whole.summary, run(fixture(name)).summary);
        for (let cut = 0; cut <= stream.length; cut++) {
          assert.deepEqual(run(stream, [cut]), whole, `${name} cut at ${cut}`);
        }
        assert.deepEqual(run(stream, Array.from(stream.keys())), whole, `${name} byte by byte`);
      }
    }
  });

  test('of running totals the last one counts', () => {
    const opened = start({ input_tokens: 3, output_tokens: 1 });
    const { reading } = run(
      opened + delta({ output_tokens: 2 }) + delta({ output_tokens: 9 }) + STOP,
    ).summary;
    assert.deepEqual(reading, { usage: { ...PLAIN, inputTokens: 3, outputTokens: 9 } });
    const spoiled = run(opened + delta({ output_tokens: 2 }) + delta({ output_tokens: -9 }) + STOP);
    assert.deepEqual(spoiled.summary.reading, { problem: 'negative' });
  });

  test('the output that a stream begins with is a placeholder, and no usage', () => {
    const opened = start({ input_tokens: 3, output_tokens: 1 });
    assert.deepEqual(run(opened + STOP).summary, { reading: { problem: 'missing' }, completed: true });
    assert.deepEqual(run(opened + delta(null) + STOP).summary.reading, { problem: 'missing' });
    assert.deepEqual(run(opened + delta({ input_tokens: 3 }) + STOP).summary.reading, { problem: 'missing' });
    const thinking = start({
      input_tokens: 25,
      output_tokens: 99,
      output_tokens_details: { thinking_tokens: 99 },
    });
    assert.deepEqual(run(thinking + delta({ output_tokens: 15 }) + STOP).summary.reading, { usage: PLAIN });
  });

  test('usage without its input is missing', () => {
    assert.deepEqual(run(delta({ output_tokens: 3 }) + STOP).summary.reading, { problem: 'missing' });
    for (const usage of [undefined, null, 'x', [1]]) {
      const stream = start(usage) + delta({ output_tokens: 3 }) + STOP;
      assert.deepEqual(run(stream).summary.reading, { problem: 'missing' });
    }
  });

  test('unreadable and unbelievable usage are problems', () => {
    const opened = start({ input_tokens: 3, output_tokens: 1 });
    const broken = 'event: message_delta\ndata: {"type":"message_delta","usage":{"output_tokens":3,}}\n\n';
    assert.deepEqual(run(opened + delta({ output_tokens: 1 }) + broken).summary.reading, {
      problem: 'malformed',
    });
    assert.deepEqual(run(opened + delta('many')).summary.reading, { problem: 'not_a_number' });
    assert.deepEqual(run(opened + delta([1])).summary.reading, { problem: 'malformed' });
  });

  test('generated text that speaks of usage, stops and errors is text', () => {
    const text = '"usage":{"output_tokens":0}} "message_stop" "error"\nevent: error\n\n';
    const said = event({ type: 'content_block_delta', delta: { type: 'text_delta', text } } as {
      type: string;
    });
    const { reading, completed } = run(said).summary;
    assert.deepEqual([reading, completed], [{ problem: 'missing' }, false]);
    const stream = start({ input_tokens: 25 }) + said + delta({ output_tokens: 15 }) + STOP;
    assert.deepEqual(run(stream).summary, { reading: { usage: PLAIN }, completed: true });
  });

  test('usage in any other event does not count', () => {
    const stray = event({ type: 'content_block_start', usage: { input_tokens: 1, output_tokens: 1 } } as {
      type: string;
    });
    assert.deepEqual(run(stray + STOP).summary.reading, { problem: 'missing' });
  });

  test('pings, comments and unknown events change nothing', () => {
    const noise = `: hello\n\n${event({ type: 'ping' })}${event({ type: 'new_event' })}\n\n`;
    const stream = fixture('stream-usage.sse').toString().replaceAll('\n\n', `\n\n${noise}`);
    assert.deepEqual(run(stream).summary, { reading: { usage: PLAIN }, completed: true });
  });

  test('a stream without its stop is not complete, wherever it breaks off', () => {
    const stream = fixture('stream-usage.sse');
    const stop = stream.indexOf('event: message_stop');
    const told = stream.indexOf('\n', stream.indexOf('data: {"type":"message_delta"'));
    for (let end = 0; end <= stop; end++) {
      const { completed, reading } = run(stream.subarray(0, end)).summary;
      assert.equal(completed, false);
      assert.deepEqual(reading, end < told ? { problem: 'missing' } : { usage: PLAIN }, `cut at ${end}`);
    }
  });

  test('an error event means that the answer is not complete, even before a stop', () => {
    assert.equal(run(fixture('stream-error.sse')).summary.completed, false);
    const stream = fixture('stream-usage.sse').toString();
    for (const error of [
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"}}\n\n',
      'event: error\ndata: overloaded\n\n',
      'event:error\r\ndata: \r\n\r\n',
      'data: {"type":"error"}\n\n',
    ]) {
      const { summary } = run(stream.replace('event: message_stop', `${error}event: message_stop`));
      assert.equal(summary.completed, false, error);
    }
  });

  test('a last event without its blank line still counts', () => {
    const stream = fixture('stream-usage.sse').toString();
    assert.deepEqual(run(stream.trimEnd()).summary, run(stream).summary);
  });

  test('an event over the limit passes, its usage is not believed, and what follows is read', () => {
    const long = delta({ output_tokens: 3, x: 'y'.repeat(EVENT_BYTES_MAX) });
    for (const cuts of [[], [100], [EVENT_BYTES_MAX], [long.length - 1]]) {
      assert.deepEqual(run(long, cuts), {
        relayed: long,
        summary: { reading: { problem: 'malformed' }, completed: false },
      });
    }
    const stream = long + fixture('stream-usage.sse').toString();
    assert.deepEqual(run(stream, [70_000]).summary, { reading: { usage: PLAIN }, completed: true });
  });

  test('never throws, and loses no byte, whatever comes', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'event: ',
        'data: ',
        '\n',
        '\r\n',
        '\n\n',
        '"usage":',
        '{',
        '}',
        '"type":"message_delta"',
        '"type":"message_stop"',
        'error',
        '"',
        'null',
        STOP,
        delta({ output_tokens: 2 }),
        start({ input_tokens: 1 }),
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.array(fc.nat(200)), (pieces, at) => {
        const stream = Buffer.from(pieces.join(''));
        const cuts = at.map((cut) => Math.min(cut, stream.length)).sort((left, right) => left - right);
        const cutUp = run(stream, cuts);
        assert.equal(cutUp.relayed, stream.toString());
        assert.deepEqual(cutUp, run(stream));
      }),
      { numRuns: 1000 },
    );
  });
});
