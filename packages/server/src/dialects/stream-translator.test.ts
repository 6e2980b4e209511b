import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { anthropicClient, anthropicProvider } from './anthropic/dialect.ts';
import type { ClientDialect, ProviderDialect } from './dialect.ts';
import { EVENT_CHARACTERS_MAX } from './event-reader.ts';
import { geminiClient, geminiProvider } from './gemini/dialect.ts';
import { openaiClient, openaiProvider } from './openai/dialect.ts';
import { CONTEXT } from './openai/test-openai.ts';
import { responsesClient } from './responses/dialect.ts';
import { StreamTranslator } from './stream-translator.ts';

/** A stream of each provider with text in several bytes, reasoning, and usage at its end. */
const PROVIDERS: readonly {
  readonly name: string;
  readonly provider: ProviderDialect;
  readonly file: string;
}[] = [
  { name: 'DeepSeek', provider: openaiProvider, file: 'deepseek/__fixtures__/chat-usage.sse' },
  { name: 'Anthropic', provider: anthropicProvider, file: 'anthropic/__fixtures__/stream-thinking.sse' },
  { name: 'Gemini', provider: geminiProvider, file: 'gemini/__fixtures__/stream-thinking.sse' },
];
const CLIENTS: readonly { readonly name: string; readonly client: ClientDialect; readonly end: RegExp }[] = [
  { name: 'chat completions', client: openaiClient, end: /data: \[DONE\]\n\n$/ },
  { name: 'Responses', client: responsesClient, end: /"type":"response\.completed"/ },
  { name: 'Messages', client: anthropicClient, end: /"type":"message_stop"\}\n\n$/ },
  { name: 'Gemini', client: geminiClient, end: /"finishReason":"STOP"/ },
];

function fixture(file: string): Buffer {
  return readFileSync(new URL(`../providers/${file}`, import.meta.url));
}

function translate(translator: StreamTranslator, chunks: readonly Buffer[]): string {
  const pieces = chunks.map((chunk) => translator.push(chunk));
  return Buffer.concat([...pieces, translator.finish()]).toString();
}

describe('StreamTranslator', () => {
  for (const { name, provider, file } of PROVIDERS) {
    for (const { name: clientName, client, end } of CLIENTS) {
      const create = () =>
        new StreamTranslator(provider.createStreamDecoder(), client.createStreamEncoder(CONTEXT));
      const stream = fixture(file);
      const whole = translate(create(), [stream]);

      test(`${name} to a client of ${clientName}: the same comes out wherever the stream is cut`, () => {
        assert.match(whole, end);
        const bytes = Array.from(stream, (byte) => Buffer.from([byte]));
        assert.equal(translate(create(), bytes), whole);
        const anyCuts = fc.uniqueArray(fc.nat(stream.length), { maxLength: 20 });
        fc.assert(
          fc.property(anyCuts, (cuts) => {
            const bounds = [0, ...cuts.toSorted((a, b) => a - b), stream.length];
            const chunks = bounds.slice(1).map((to, index) => stream.subarray(bounds[index], to));
            assert.equal(translate(create(), chunks), whole);
          }),
          { numRuns: 30 },
        );
      });

      test(`${name} to a client of ${clientName}: what is cut off anywhere never looks complete`, () => {
        const isLast = (cut: number) => stream.subarray(cut).toString().trim() === '';
        for (let cut = 0; !isLast(cut); cut += 7) {
          const translator = create();
          const out = translate(translator, [stream.subarray(0, cut)]);
          assert.ok(
            !end.test(out) || isClosed(name, stream.subarray(0, cut)),
            `cut at ${cut}: ${out.slice(-200)}`,
          );
        }
      });
    }
  }

  test('after a failure nothing more is said, and it is known to have failed', () => {
    const streams: readonly (readonly [ProviderDialect, string])[] = [
      [openaiProvider, 'deepseek/__fixtures__/chat-error.sse'],
      [openaiProvider, 'deepseek/__fixtures__/chat-interrupted.sse'],
      [anthropicProvider, 'anthropic/__fixtures__/stream-error.sse'],
      [geminiProvider, 'gemini/__fixtures__/stream-error.sse'],
    ];
    for (const [provider, file] of streams) {
      for (const { client, end } of CLIENTS) {
        const translator = new StreamTranslator(
          provider.createStreamDecoder(),
          client.createStreamEncoder(CONTEXT),
        );
        const said = translate(translator, [fixture(file)]);
        assert.equal(translator.hasFailed, true, file);
        assert.doesNotMatch(said, end);
        assert.equal(translate(translator, [fixture('openai/__fixtures__/chat-usage.sse')]), '');
      }
    }
  });

  test('a provider whose event is too long has failed', () => {
    const translator = new StreamTranslator(
      openaiProvider.createStreamDecoder(),
      anthropicClient.createStreamEncoder(CONTEXT),
    );
    assert.equal(translator.hasFailed, false);
    translator.push(Buffer.concat([Buffer.from('data: '), Buffer.alloc(EVENT_CHARACTERS_MAX, 'a')]));
    assert.equal(translator.hasFailed, true);
    assert.equal(translator.finish().length, 0);
  });

  test('never throws, whatever the provider sends', () => {
    const anyBytes = fc.array(
      fc.oneof(
        fc.uint8Array(),
        fc.string(),
        fc.json().map((json) => `data: ${json}\n\n`),
      ),
    );
    fc.assert(
      fc.property(anyBytes, (chunks) => {
        for (const { provider } of PROVIDERS) {
          for (const { client } of CLIENTS) {
            const translator = new StreamTranslator(
              provider.createStreamDecoder(),
              client.createStreamEncoder(CONTEXT),
            );
            translate(
              translator,
              chunks.map((chunk) => Buffer.from(chunk as string)),
            );
          }
        }
      }),
    );
  });
});

/** Gemini has no event that closes a stream: it is complete with the reason why it ended. */
function isClosed(name: string, begun: Buffer): boolean {
  return name === 'Gemini' && begun.includes('"finishReason":"STOP"');
}
