/** Answers that are wrong in one place, whole or streamed: every client is given one of its own form, or none. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { anthropicClient, anthropicProvider } from './anthropic/dialect.ts';
import type { ProviderDialect } from './dialect.ts';
import { geminiClient, geminiProvider } from './gemini/dialect.ts';
import { openaiClient, openaiProvider } from './openai/dialect.ts';
import { CONTEXT } from './openai/test-openai.ts';
import { responsesClient } from './responses/dialect.ts';
import { StreamTranslator } from './stream-translator.ts';

const CLIENTS = [openaiClient, responsesClient, anthropicClient, geminiClient];

const PROVIDERS: readonly {
  readonly name: string;
  readonly provider: ProviderDialect;
  readonly answers: readonly string[];
  readonly streams: readonly string[];
}[] = [
  {
    name: 'DeepSeek',
    provider: openaiProvider,
    answers: ['deepseek/__fixtures__/chat.json'],
    streams: ['deepseek/__fixtures__/chat-usage.sse', 'openai-compatible/__fixtures__/chat-tools.sse'],
  },
  {
    name: 'Anthropic',
    provider: anthropicProvider,
    answers: ['anthropic/__fixtures__/messages.json', 'anthropic/__fixtures__/messages-cached.json'],
    streams: ['anthropic/__fixtures__/stream-thinking.sse', 'anthropic/__fixtures__/stream-tools.sse'],
  },
  {
    name: 'Gemini',
    provider: geminiProvider,
    answers: ['gemini/__fixtures__/generate-thinking.json', 'gemini/__fixtures__/generate-tools.json'],
    streams: ['gemini/__fixtures__/stream-thinking.sse', 'gemini/__fixtures__/stream-tools.sse'],
  },
];

const wrongJson = fc.constantFrom(
  'null',
  '""',
  '"x"',
  '[]',
  '{}',
  '[null]',
  '0',
  '-1',
  '1e400',
  'true',
  '1.5',
);

describe('an answer that is wrong in one place', () => {
  for (const { name, provider, answers, streams } of PROVIDERS) {
    test(`${name}'s whole answer is written for every client, or is none`, () => {
      const texts = answers.map(fixture);
      assert.ok(texts.every((text) => provider.readAnswer(Buffer.from(text)) !== undefined));
      fc.assert(
        fc.property(fc.constantFrom(...texts), fc.nat(), wrongJson, (text, pick, wrong) => {
          const answer = provider.readAnswer(Buffer.from(breakValue(text, pick, wrong)));
          if (answer === undefined) return;
          for (const client of CLIENTS) {
            assert.equal(typeof JSON.parse(client.writeAnswer(answer, CONTEXT).toString()), 'object');
          }
        }),
        { numRuns: 500 },
      );
    });

    test(`${name}'s stream is one of the client's own form, as far as it goes`, () => {
      const texts = streams.map(fixture);
      fc.assert(
        fc.property(fc.constantFrom(...texts), fc.nat(), wrongJson, (text, pick, wrong) => {
          for (const client of CLIENTS) {
            const translator = new StreamTranslator(
              provider.createStreamDecoder(),
              client.createStreamEncoder(CONTEXT),
            );
            const chunks = [translator.push(Buffer.from(breakValue(text, pick, wrong))), translator.finish()];
            assertEvents(Buffer.concat(chunks).toString());
          }
        }),
        { numRuns: 300 },
      );
    });
  }
});

function fixture(file: string): string {
  return readFileSync(new URL(`../providers/${file}`, import.meta.url), 'utf8');
}

/** Puts other JSON where the picked one of the simple values is. */
function breakValue(text: string, pick: number, wrong: string): string {
  const values = [
    ...text.matchAll(/(?<=:\s*)(?:"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null)(?=\s*[,}\]])/g),
  ];
  const value = values[pick % values.length];
  assert.ok(value);
  return text.slice(0, value.index) + wrong + text.slice(value.index + value[0].length);
}

/** Whole events, whose data is JSON or the mark of the end. */
function assertEvents(stream: string): void {
  const blocks = stream.split(/\r?\n\r?\n/);
  assert.equal(blocks.pop(), '');
  for (const block of blocks) {
    const data = /^data: (.*)$/m.exec(block)?.[1] ?? '';
    if (data !== '[DONE]') assert.equal(typeof JSON.parse(data), 'object', block);
  }
}
