import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { ReportedUsage } from '../providers/provider.ts';
import { anthropicClient } from './anthropic/dialect.ts';
import type { ClientDialect } from './dialect.ts';
import { geminiClient } from './gemini/dialect.ts';
import { openaiClient } from './openai/dialect.ts';
import { CONTEXT, encode } from './openai/test-openai.ts';
import { responsesClient } from './responses/dialect.ts';

type Counts = Readonly<Record<string, number>>;
type Told = { readonly usage: Counts; readonly usageMetadata: Counts };

const CLIENTS: readonly {
  readonly name: string;
  readonly client: ClientDialect;
  /** All tokens that the client is told of. */
  readonly totalOf: (told: Told) => number | undefined;
}[] = [
  { name: 'chat completions', client: openaiClient, totalOf: ({ usage }) => usage['total_tokens'] },
  { name: 'Responses', client: responsesClient, totalOf: ({ usage }) => usage['total_tokens'] },
  {
    name: 'Messages',
    client: anthropicClient,
    totalOf: ({ usage }) =>
      ['input_tokens', 'cache_read_input_tokens', 'cache_creation_input_tokens', 'output_tokens']
        .map((field) => usage[field] ?? Number.NaN)
        .reduce((sum, count) => sum + count),
  },
  { name: 'Gemini', client: geminiClient, totalOf: ({ usageMetadata }) => usageMetadata['totalTokenCount'] },
];

const count = fc.nat(1_000_000);
const anyUsage: fc.Arbitrary<ReportedUsage> = fc.record({
  inputTokens: count,
  cachedInputTokens: count,
  cacheWriteTokens: count,
  longCacheWriteTokens: count,
  audioInputTokens: count,
  cachedAudioInputTokens: count,
  imageInputTokens: count,
  outputTokens: count,
  reasoningTokens: count,
  audioOutputTokens: count,
  imageOutputTokens: count,
});

describe('usage', () => {
  for (const { name, client, totalOf } of CLIENTS) {
    test(`no class of tokens is lost on the way to a client of ${name}, streamed or not`, () => {
      fc.assert(
        fc.property(anyUsage, (usage) => {
          const total = Object.values(usage).reduce((sum, each) => sum + each);
          const stop = { reason: 'end' } as const;
          const answer = { id: 'a', model: 'm', choices: [{ parts: [], stop }], usage };
          const whole = JSON.parse(client.writeAnswer(answer, CONTEXT).toString()) as Told;
          assert.equal(totalOf(whole), total);
          const stream = encode(client.createStreamEncoder(CONTEXT), [
            { kind: 'start', id: 'a', model: 'm' },
            { kind: 'text', choice: 0, text: 'x' },
            { kind: 'stop', choice: 0, stop },
            { kind: 'usage', usage },
            { kind: 'end' },
          ]);
          assert.equal(totalOf(lastUsageOf(stream)), total);
        }),
        { numRuns: 50 },
      );
    });
  }
});

function lastUsageOf(stream: string): Told {
  const told = stream
    .split('\n')
    .filter((line) => line.startsWith('data: {'))
    .map((line) => JSON.parse(line.slice('data: '.length)) as Partial<Told> & { response?: Told });
  const last = told.findLast(
    ({ usage, usageMetadata, response }) => (usage ?? usageMetadata ?? response?.usage ?? null) !== null,
  );
  assert.ok(last);
  return (last.response ?? last) as Told;
}
