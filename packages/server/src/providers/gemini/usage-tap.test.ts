import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { runTap, type TapResult } from '../../../test/model-call.ts';
import { GeminiStreamTap } from './usage-tap.ts';

const FIXTURES = [
  'stream-usage.sse',
  'stream-thinking.sse',
  'stream-tools.sse',
  'stream-no-usage.sse',
  'stream-blocked.sse',
  'stream-error.sse',
  'stream-error-bare.sse',
];
const NOTHING = {
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
};
const DONE = '"candidates":[{"finishReason":"STOP"}]';
const USAGE = '"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5}';
const READ = { usage: { ...NOTHING, inputTokens: 3, outputTokens: 2 } };

function fixture(name: string): Buffer {
  return readFileSync(new URL(`__fixtures__/${name}`, import.meta.url));
}

function run(stream: string | Buffer, cuts: readonly number[] = []): TapResult {
  return runTap(new GeminiStreamTap(), Buffer.from(stream), cuts);
}

function event(...fields: readonly string[]): string {
  return `data: {${fields.join(',')}}\n\n`;
}

describe('GeminiStreamTap', () => {
  const summaries: readonly [string, object][] = [
    [
      'stream-usage.sse',
      {
        reading: { usage: { ...NOTHING, inputTokens: 82, cachedInputTokens: 1024, outputTokens: 12 } },
        completed: true,
      },
    ],
    [
      'stream-thinking.sse',
      {
        reading: { usage: { ...NOTHING, inputTokens: 9, outputTokens: 4, reasoningTokens: 41 } },
        completed: true,
      },
    ],
    [
      'stream-tools.sse',
      {
        reading: { usage: { ...NOTHING, inputTokens: 70, outputTokens: 25, reasoningTokens: 5 } },
        completed: true,
      },
    ],
    ['stream-no-usage.sse', { reading: { problem: 'missing' }, completed: true }],
    ['stream-blocked.sse', { reading: { usage: { ...NOTHING, inputTokens: 13 } }, completed: true }],
    ['stream-error.sse', { reading: { problem: 'missing' }, completed: false }],
    [
      'stream-error-bare.sse',
      { reading: { usage: { ...NOTHING, inputTokens: 9, outputTokens: 1 } }, completed: false },
    ],
  ];
  for (const [name, summary] of summaries) {
    test(`reads ${name}, whatever its line ends`, () => {
      const stream = fixture(name).toString();
      assert.deepEqual(run(stream).summary, summary);
      assert.deepEqual(run(stream.replaceAll('\n', '\r\n')).summary, summary);
    });
  }

  test('the client gets every byte, in the very same buffers', () => {
    for (const name of FIXTURES) {
      const stream = fixture(name);
      assert.equal(run(stream).relayed, stream.toString(), name);
      const tap = new GeminiStreamTap();
      for (const byte of stream) {
        const chunk = Buffer.from([byte]);
        assert.equal(tap.push(chunk), chunk);
      }
      assert.equal(tap.finish().trailing, undefined);
    }
  });

  test('however the stream is cut, client and summary are the same', () => {
    for (const name of FIXTURES) {
      for (const stream of [fixture(name), Buffer.from(fixture(name).toString().replaceAll('\n', '\r\n'))]) {
        const whole = run(stream);
        for (let cut = 0; cut <= stream.length; cut++) {
          assert.deepEqual(run(stream, [cut]), whole, `${name} cut at ${cut}`);
        }
        assert.deepEqual(run(stream, Array.from(stream.keys())), whole, `${name} byte by byte`);
      }
    }
  });

  test('wherever a stream breaks off, it is not complete before its end has come', () => {
    const text = fixture('stream-usage.sse').toString();
    for (const stream of [Buffer.from(text), Buffer.from(text.replaceAll('\n', '\r\n'))]) {
      const ended = stream.lastIndexOf('}') + 1;
      for (let cut = 0; cut < ended; cut++) {
        assert.equal(run(stream.subarray(0, cut)).summary.completed, false, `cut at ${cut}`);
      }
      for (let cut = ended; cut <= stream.length; cut++) {
        assert.deepEqual(run(stream.subarray(0, cut)).summary, run(stream).summary, `cut at ${cut}`);
      }
    }
  });

  test('a stream that breaks off has the usage so far', () => {
    const stream = fixture('stream-usage.sse');
    const { summary } = run(stream.subarray(0, stream.length - 10));
    assert.ok('usage' in summary.reading);
    assert.equal(summary.reading.usage.outputTokens, 9);
    assert.equal(summary.completed, false);
  });

  test('of running totals the last one counts', () => {
    const total = (tokens: number) =>
      event(
        `"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":${tokens},"totalTokenCount":${3 + tokens}}`,
      );
    const { summary } = run(total(1) + total(2) + total(3) + event(DONE) + event('"usageMetadata":null'));
    assert.ok('usage' in summary.reading);
    assert.equal(summary.reading.usage.outputTokens, 3);
    assert.deepEqual(run(total(1) + total(-2)).summary.reading, { problem: 'negative' });
    assert.ok('usage' in run(total(-2) + total(1)).summary.reading);
  });

  test('every reason to end completes, and none that says nothing', () => {
    for (const reason of ['STOP', 'MAX_TOKENS', 'SAFETY', 'MALFORMED_FUNCTION_CALL', 'SOMETHING_NEW']) {
      assert.equal(run(event(`"candidates":[{"finishReason":"${reason}"}]`)).summary.completed, true, reason);
      assert.equal(run(event(`"promptFeedback":{"blockReason":"${reason}"}`)).summary.completed, true);
    }
    for (const reason of ['"FINISH_REASON_UNSPECIFIED"', '"BLOCKED_REASON_UNSPECIFIED"', '""', 'null', '1']) {
      assert.equal(run(event(`"candidates":[{"finishReason":${reason}}]`)).summary.completed, false, reason);
      assert.equal(run(event(`"promptFeedback":{"blockReason":${reason}}`)).summary.completed, false);
    }
    assert.equal(run(event('"promptFeedback":{"safetyRatings":[]}')).summary.completed, false);
  });

  test('generated text and arguments are not the answer', () => {
    const inner = `{${USAGE},"error":{},${DONE},"promptFeedback":{"blockReason":"OTHER"}}`;
    for (const part of [`"text":${JSON.stringify(inner)}`, `"functionCall":{"args":${inner}}`]) {
      const stream = event(`"candidates":[{"content":{"parts":[{${part}}]}}]`);
      assert.deepEqual(run(stream).summary, { reading: { problem: 'missing' }, completed: false });
      assert.deepEqual(run(stream + event(DONE, USAGE)).summary, { reading: READ, completed: true });
    }
  });

  test('an error is never a complete answer, before the end or after it', () => {
    const error = '"error":{"code":503,"status":"UNAVAILABLE"}';
    for (const stream of [
      event(error) + event(DONE, USAGE),
      event(DONE, USAGE) + event(error),
      event(DONE, USAGE, error),
      `${event(DONE, USAGE)}{${error}}`,
      `${event(DONE, USAGE)}{\n${error}\n}\n`,
      `${event(DONE, USAGE)}<html>\n`,
      `${event(DONE, USAGE)}<ht`,
      `${event(DONE, USAGE)}dat`,
    ]) {
      assert.deepEqual(run(stream).summary, { reading: READ, completed: false }, stream);
      assert.equal(run(stream).relayed, stream);
    }
    assert.equal(run(event('"error":null', DONE)).summary.completed, true);
  });

  test('searches and a dearer tier are told beside the tokens', () => {
    const grounding = '{"groundingMetadata":{"webSearchQueries":["x"]}}';
    const searched = event(`"candidates":[${grounding}]`) + event(DONE, USAGE);
    assert.deepEqual(run(searched).summary.reading, { ...READ, unpriced: ['web_search'] });
    const long = grounding.replace('x', 'x'.repeat(50_000));
    assert.deepEqual(run(searched.replace(grounding, long)).summary.reading, {
      ...READ,
      unpriced: ['web_search'],
    });
    for (const none of ['{"groundingMetadata":{}}', '{"groundingMetadata":null}']) {
      assert.deepEqual(run(searched.replace(grounding, none)).summary.reading, READ);
    }
    const dear = USAGE.replace('{', '{"serviceTier":"priority",');
    assert.deepEqual(run(event(DONE, dear)).summary.reading, { ...READ, unpriced: ['priority_tier'] });
  });

  test('no usage, unreadable usage and unbelievable usage are problems', () => {
    assert.deepEqual(run('').summary, { reading: { problem: 'missing' }, completed: false });
    for (const [usage, problem] of [
      [USAGE.replace('3', '-3'), 'negative'],
      [USAGE.replace('3', '"3"'), 'not_a_number'],
      [USAGE.replace('3', '1e999'), 'not_finite'],
      [USAGE.replace('3', '4'), 'malformed'],
      [USAGE.replace('3', '3,'), 'malformed'],
      [USAGE.replace('3', '3,"promptTokenCount":1'), 'malformed'],
      ['"usageMetadata":[]', 'malformed'],
      [`${USAGE},${USAGE}`, 'malformed'],
      ['"usageMetadata":{}', 'missing'],
      [USAGE.replace('5}', '\ndata: 5}').replace('2,', '\ndata: 2,'), undefined],
      [USAGE.replace('3', '1\ndata:3').replace('5', '15'), 'malformed'],
    ]) {
      const stream = event(DONE, usage as string);
      const reading = problem === undefined ? READ : { problem };
      assert.deepEqual(run(stream).summary, { reading, completed: true }, stream);
      assert.equal(run(stream).relayed, stream);
    }
  });

  test('an event that is damaged may have had usage', () => {
    const damaged = run(`${event(USAGE)}data: {"usageMetadata":{\n\n`);
    assert.deepEqual(damaged.summary, { reading: { problem: 'malformed' }, completed: false });
    const later = run(`data: {"usageMetadata":{\n\n${event(DONE, USAGE)}`);
    assert.deepEqual(later.summary, { reading: READ, completed: false });
  });

  test('usage is read whatever the form of its event', () => {
    for (const stream of [
      `data:{${DONE},${USAGE}}\n\n`,
      `data: { ${DONE} , ${USAGE.replaceAll(':', ' : ')} } \r\n\r\n`,
      `: ping\n\nevent: message\nid: 1\nretry: 5\ndata: {${DONE},\ndata: ${USAGE}}\n\n`,
      `\n\n\n:\n\nid\n\n${event(DONE, USAGE)}data: [DONE]\n\n`,
      `data: {${DONE},${USAGE}}`,
      `data: {${DONE},${USAGE}}\n`,
      `data\n\n${event(DONE, USAGE)}`,
    ]) {
      assert.deepEqual(run(stream).summary, { reading: READ, completed: true }, stream);
    }
  });

  test('an event of any length is read, and none is held', () => {
    const picture = 'A'.repeat(12_000_000);
    const stream = Buffer.from(
      event(
        `"candidates":[{"content":{"parts":[{"inlineData":{"data":"${picture}"}}]},"finishReason":"STOP"}]`,
        USAGE,
      ),
    );
    const tap = new GeminiStreamTap();
    for (let from = 0; from < stream.length; from += 65_536) {
      const chunk = stream.subarray(from, from + 65_536);
      assert.equal(tap.push(chunk), chunk);
      chunk.fill(0);
    }
    assert.deepEqual(tap.finish(), { reading: READ, completed: true, trailing: undefined });
  });

  test('never throws, and loses no byte, whatever comes', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'data: ',
        '\n',
        '\r\n',
        '\n\n',
        '{',
        '}',
        ',',
        '"error":',
        'null',
        '\\',
        '"',
        USAGE,
        DONE,
        event(DONE, USAGE),
      ),
      fc.string({ unit: 'binary', maxLength: 5 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), fc.array(fc.nat(300)), (pieces, at) => {
        const stream = Buffer.from(pieces.join(''));
        const cuts = at.map((cut) => Math.min(cut, stream.length)).sort((left, right) => left - right);
        const whole = run(stream);
        assert.equal(whole.relayed, stream.toString());
        assert.deepEqual(run(stream, cuts), whole);
      }),
      { numRuns: 1000 },
    );
  });
});
