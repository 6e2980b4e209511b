import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { anthropicProvider } from './anthropic/dialect.ts';
import type { ProviderDialect } from './dialect.ts';
import { EVENT_CHARACTERS_MAX } from './event-reader.ts';
import { type Beginning, FirstToken } from './first-token.ts';
import { geminiProvider } from './gemini/dialect.ts';
import { openaiProvider } from './openai/dialect.ts';

const OPENAI_HEAD = '"id":"c","object":"chat.completion.chunk","created":1,"model":"m"';

/** How each vendor begins, and what it says first. */
const BEGINNINGS: readonly {
  readonly name: string;
  readonly provider: ProviderDialect;
  readonly silence: string;
  readonly words: readonly string[];
  readonly error: string;
}[] = [
  {
    name: 'OpenAI',
    provider: openaiProvider,
    silence: `: keep-alive\n\ndata: {${OPENAI_HEAD},"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n`,
    words: [
      '{"content":"H"}',
      '{"refusal":"N"}',
      '{"reasoning_content":"H"}',
      '{"reasoning":"H"}',
      '{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":""}}]}',
    ].map((delta) => `data: {${OPENAI_HEAD},"choices":[{"index":0,"delta":${delta}}]}\n\n`),
    error: 'data: {"error":{"message":"The server had an error.","type":"server_error"}}\n\n',
  },
  {
    name: 'Anthropic',
    provider: anthropicProvider,
    silence: `event: message_start\ndata: {"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":1,"output_tokens":1}}}\n\nevent: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\nevent: ping\ndata: {"type":"ping"}\n\n`,
    words: [
      '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"H"}}',
      '{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"QQ=="}}',
      '{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}',
      '{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}',
    ].map((data) => `data: ${data}\n\n`),
    error:
      'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}\n\n',
  },
  {
    name: 'Gemini',
    provider: geminiProvider,
    silence:
      'data: {"usageMetadata":{"promptTokenCount":1,"totalTokenCount":1},"modelVersion":"g","responseId":"r"}\r\n\r\n',
    words: [
      '{"text":"H"}',
      '{"text":"H","thought":true}',
      '{"functionCall":{"name":"f","args":{}}}',
      '{"text":"","thoughtSignature":"QQ=="}',
    ].map((part) => `data: {"candidates":[{"content":{"parts":[${part}]},"index":0}]}\r\n\r\n`),
    error: 'data: {"error":{"code":503,"message":"Overloaded","status":"UNAVAILABLE"}}\r\n\r\n',
  },
];

function watch(provider: ProviderDialect, ...chunks: readonly (string | Buffer)[]): Beginning {
  const first = new FirstToken(provider.createStreamDecoder());
  for (const chunk of chunks) {
    const beginning = first.push(Buffer.from(chunk as string));
    if (beginning !== 'waiting') return beginning;
  }
  return 'waiting';
}

describe('FirstToken', () => {
  for (const { name, provider, silence, words, error } of BEGINNINGS) {
    test(`${name} has not begun before its model has said something`, () => {
      assert.equal(watch(provider, silence), 'waiting');
      for (const word of words) assert.equal(watch(provider, silence, word), 'begun', word);
    });

    test(`${name} has begun with the byte that ends the first word's event, and not before`, () => {
      const [word = ''] = words;
      const bytes = Buffer.from(silence + word);
      const first = new FirstToken(provider.createStreamDecoder());
      const told = Array.from(bytes, (byte) => first.push(Buffer.from([byte])));
      // A CR ends the line; a LF after it adds nothing.
      const end = word.endsWith('\r\n') ? bytes.length - 2 : bytes.length - 1;
      assert.equal(told.indexOf('begun'), end);
    });

    test(`${name} has failed where an error comes first, and has begun where a word does`, () => {
      const [word = ''] = words;
      assert.equal(watch(provider, error), 'failed');
      assert.equal(watch(provider, silence, error), 'failed');
      assert.equal(watch(provider, silence + word + error), 'begun');
    });
  }

  test('an empty answer that is complete has begun, since there is nothing to wait for', () => {
    const end = `data: {${OPENAI_HEAD},"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n`;
    assert.equal(watch(openaiProvider, end), 'begun');
    const blocked = readFileSync(
      new URL('../providers/gemini/__fixtures__/stream-blocked.sse', import.meta.url),
    );
    assert.equal(watch(geminiProvider, blocked), 'waiting');
  });

  test('what is too long to be read is no reason to go elsewhere', () => {
    const endless = Buffer.alloc(EVENT_CHARACTERS_MAX + 1, 'a');
    assert.equal(watch(openaiProvider, 'data: ', endless), 'begun');
  });

  test('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array()), (chunks) => {
        for (const { provider } of BEGINNINGS) watch(provider, ...chunks.map((chunk) => Buffer.from(chunk)));
      }),
    );
  });
});
