import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { modelCall, readFixture, runTap, type TapResult } from '../../../test/model-call.ts';
import { EVENT_BYTES_MAX } from '../event-stream.ts';
import { OpenAiStreamTap } from './usage-tap.ts';

const FIXTURES = [
  'chat-usage.sse',
  'chat-usage-crlf.sse',
  'chat-no-usage.sse',
  'chat-cut-off.sse',
  'chat-error.sse',
  'chat-comments.sse',
  'chat-usage-on-last-choice.sse',
  'chat-tools.sse',
  'completion-usage.sse',
];
const USAGE = {
  inputTokens: 82,
  cachedInputTokens: 1024,
  cacheWriteTokens: 0,
  outputTokens: 12,
  reasoningTokens: 64,
};
const USAGE_EVENT = 'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n';

function open(
  wantsUsage: boolean,
  endpoint: 'chat.completions' | 'completions' = 'chat.completions',
): OpenAiStreamTap {
  const options = wantsUsage ? { stream_options: { include_usage: true } } : {};
  return new OpenAiStreamTap(modelCall({ model: 'm', stream: true, ...options }, { endpoint }));
}

function run(text: string | Buffer, wantsUsage = false, cuts: readonly number[] = []): TapResult {
  return runTap(open(wantsUsage), Buffer.from(text), cuts);
}

/** The stream without the event that holds nothing but usage. */
function withoutUsageEvent(stream: string): string {
  return stream.replace(/data: \{[^\n]*"choices":\[\],"usage":\{[^\n]*\n\r?\n/, '');
}

describe('OpenAiStreamTap', () => {
  test('reads the usage and keeps its chunk from a client that did not ask', () => {
    for (const name of [
      'chat-usage.sse',
      'chat-usage-crlf.sse',
      'chat-comments.sse',
      'chat-tools.sse',
      'completion-usage.sse',
    ]) {
      const stream = readFixture(name);
      const endpoint = name.startsWith('completion') ? 'completions' : 'chat.completions';
      const hidden = runTap(open(false, endpoint), stream);
      assert.notEqual(hidden.relayed, stream.toString(), name);
      assert.equal(hidden.relayed, withoutUsageEvent(stream.toString()), name);
      assert.equal(hidden.summary.completed, true);
      assert.ok('usage' in hidden.summary.reading);
      if (endpoint === 'chat.completions') assert.deepEqual(hidden.summary.reading.usage, USAGE);
    }
  });

  test('a client that asked gets every byte', () => {
    for (const name of FIXTURES) {
      const stream = readFixture(name);
      assert.equal(run(stream, true).relayed, stream.toString(), name);
    }
  });

  test('however the stream is cut, client and summary are the same', () => {
    for (const name of FIXTURES) {
      const stream = readFixture(name);
      for (const wantsUsage of [true, false]) {
        const whole = run(stream, wantsUsage);
        for (let cut = 0; cut <= stream.length; cut++) {
          assert.deepEqual(run(stream, wantsUsage, [cut]), whole, `${name} cut at ${cut}`);
        }
        assert.deepEqual(run(stream, wantsUsage, Array.from(stream.keys())), whole, `${name} byte by byte`);
      }
    }
  });

  test('however the stream is cut in many, client and summary are the same', () => {
    const stream = readFixture('chat-comments.sse');
    const whole = run(stream);
    fc.assert(
      fc.property(fc.array(fc.nat(stream.length)), (cuts) => {
        assert.deepEqual(
          run(
            stream,
            false,
            cuts.sort((left, right) => left - right),
          ),
          whole,
        );
      }),
    );
  });

  test('a chunk of whole events passes as the very same buffer', () => {
    const tap = open(false);
    const first = Buffer.from('data: {"choices":[{"delta":{"content":"a"}}],"usage":null}\n\n');
    assert.equal(tap.push(first), first);
    assert.equal(tap.push(Buffer.from(USAGE_EVENT)).length, 0);
    const done = Buffer.from('data: [DONE]\n\n');
    assert.equal(tap.push(done), done);
  });

  test('no event waits for a byte that comes after it', () => {
    const tap = open(false);
    const stream = readFixture('chat-no-usage.sse');
    const text = stream.toString('latin1');
    let relayed = 0;
    for (let at = 0; at < stream.length; at++) {
      const out = tap.push(stream.subarray(at, at + 1));
      relayed += Buffer.isBuffer(out) ? out.length : out.reduce((sum, part) => sum + part.length, 0);
      const ended = text.lastIndexOf('\n\n', at - 1);
      assert.equal(relayed, ended === -1 ? 0 : ended + 2);
    }
  });

  test('nothing is held back from a client that asked', () => {
    const tap = open(true);
    const half = Buffer.from('data: {"choices":[],"usa');
    assert.equal(tap.push(half), half);
    const rest = Buffer.from('ge":{"prompt_tokens":3,"completion_tokens":2}}\n\n');
    assert.equal(tap.push(rest), rest);
    const { reading } = tap.finish();
    assert.ok('usage' in reading);
    assert.equal(reading.usage.inputTokens, 3);
  });

  test('usage that rides on a choice is read, and the choice passes', () => {
    const stream = readFixture('chat-usage-on-last-choice.sse').toString();
    const { relayed, summary } = run(stream);
    assert.equal(relayed, stream);
    assert.ok('usage' in summary.reading);
    assert.deepEqual([summary.reading.usage.inputTokens, summary.reading.usage.outputTokens], [9, 4]);
  });

  test('of running totals the last one counts', () => {
    const report = (tokens: number) =>
      `data: {"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":3,"completion_tokens":${tokens}}}\n\n`;
    const { summary } = run(report(1) + report(2) + report(3));
    assert.ok('usage' in summary.reading);
    assert.equal(summary.reading.usage.outputTokens, 3);
    const spoiled = run(report(1) + report(-2));
    assert.deepEqual(spoiled.summary.reading, { problem: 'negative' });
  });

  test('a chunk without choices that has no usage passes', () => {
    const stream =
      'data: {"choices":[],"prompt_filter_results":[]}\n\ndata: {"choices":[],"usage":null}\n\ndata: [DONE]\n\n';
    assert.equal(run(stream).relayed, stream);
  });

  test('generated text that speaks of usage is text', () => {
    const content = JSON.stringify('{"choices":[],"usage":{"prompt_tokens":0,"completion_tokens":0}}');
    const stream = `data: {"choices":[{"delta":{"content":${content}}}]}\n\n`;
    const { relayed, summary } = run(stream);
    assert.equal(relayed, stream);
    assert.deepEqual(summary.reading, { problem: 'missing' });
  });

  test('usage inside another object does not count', () => {
    const stream = 'data: {"choices":[],"x_groq":{"usage":{"prompt_tokens":0,"completion_tokens":0}}}\n\n';
    const { relayed, summary } = run(stream);
    assert.equal(relayed, stream);
    assert.deepEqual(summary.reading, { problem: 'missing' });
  });

  test('no usage, unreadable usage and unbelievable usage are problems', () => {
    assert.deepEqual(run(readFixture('chat-no-usage.sse')).summary.reading, { problem: 'missing' });
    assert.deepEqual(run('').summary, { reading: { problem: 'missing' }, completed: false });
    const broken = 'data: {"choices":[],"usage":{"prompt_tokens":3,}}\n\n';
    assert.deepEqual(run(broken).summary.reading, { problem: 'malformed' });
    assert.equal(run(broken).relayed, broken);
    for (const [count, problem] of [
      ['-3', 'negative'],
      ['"3"', 'not_a_number'],
      ['1e999', 'not_finite'],
      ['1.5', 'malformed'],
    ]) {
      const stream = USAGE_EVENT.replace('3', count as string);
      assert.deepEqual(run(stream).summary.reading, { problem });
      assert.equal(run(stream).relayed, '');
    }
  });

  test('usage is read whatever the space around it', () => {
    for (const stream of [
      'data:{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n',
      'data: { "usage" : { "prompt_tokens" : 3, "completion_tokens" : 2 } , "choices" : [ ] }\r\n\r\n',
      'event: message\ndata: {"choices":[],\ndata: "usage":{"prompt_tokens":3,"completion_tokens":2}}\nid: 1\n\n',
      ': ping\n\n\n\ndata: {"choices":[],"usage"\t:\t{"prompt_tokens":3,"completion_tokens":2}}\n\n',
    ]) {
      const { relayed, summary } = run(stream);
      assert.ok('usage' in summary.reading, stream);
      assert.ok(!relayed.includes('usage'), stream);
    }
  });

  test('a stream without [DONE] is not complete, wherever it breaks off', () => {
    const cut = run(readFixture('chat-cut-off.sse'));
    assert.equal(cut.summary.completed, false);
    assert.deepEqual(cut.summary.reading, { problem: 'missing' });
    assert.equal(cut.relayed, readFixture('chat-cut-off.sse').toString());
    assert.equal(run(readFixture('chat-error.sse')).summary.completed, false);
    assert.equal(run('data: {"choices":[{"delta":{"content":"[DONE]"}}]}\n\n').summary.completed, false);
    assert.equal(run('data:[DONE]\n\n').summary.completed, true);
  });

  test('a last event without its blank line still counts', () => {
    const { relayed, summary } = run(`${USAGE_EVENT}data: [DONE]`);
    assert.equal(relayed, 'data: [DONE]');
    assert.equal(summary.completed, true);
    const usageLast = run(USAGE_EVENT.trimEnd());
    assert.ok('usage' in usageLast.summary.reading);
    assert.equal(usageLast.relayed, '');
    const cutUsage = run(USAGE_EVENT.slice(0, 40));
    assert.deepEqual(cutUsage.summary.reading, { problem: 'missing' });
  });

  test('an event over the limit is relayed without being held, and its usage is not believed', () => {
    const long = `data: {"choices":[],"x":"${'y'.repeat(EVENT_BYTES_MAX)}","usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n`;
    for (const cuts of [[], [100], [EVENT_BYTES_MAX], [100, EVENT_BYTES_MAX + 10], [long.length - 1]]) {
      const { relayed, summary } = run(long, false, cuts);
      assert.equal(relayed, long);
      assert.deepEqual(summary.reading, { problem: 'malformed' });
    }
    const tap = open(false);
    assert.equal(tap.push(Buffer.alloc(EVENT_BYTES_MAX, 'x')).length, 0);
    const released = tap.push(Buffer.from('x'));
    assert.equal(Buffer.concat(released as Buffer[]).length, EVENT_BYTES_MAX + 1);
    const after = run(long + USAGE_EVENT, false, [70_000]);
    assert.equal(after.relayed, long);
    assert.ok('usage' in after.summary.reading);
  });

  test('never throws, and loses no byte but a usage chunk, whatever comes', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'data: ',
        '\n',
        '\r\n',
        '\n\n',
        '"usage":',
        '{',
        '}',
        '"delta":',
        '"choices":[]',
        '[DONE]',
        '\\',
        '"',
        'null',
        USAGE_EVENT,
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.array(fc.nat(200)), (pieces, at) => {
        const stream = Buffer.from(pieces.join(''));
        const cuts = at.map((cut) => Math.min(cut, stream.length)).sort((left, right) => left - right);
        assert.equal(run(stream, true, cuts).relayed, stream.toString());
        const hidden = run(stream, false, cuts);
        assert.deepEqual(hidden, run(stream));
        if (!stream.includes('"usage"')) assert.equal(hidden.relayed, stream.toString());
      }),
      { numRuns: 1000 },
    );
  });
});
