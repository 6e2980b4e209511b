/**
 * What a call costs, from the bytes that a vendor answers with to the nano-dollar, against figures that were worked out by
 * hand. The answers are the fixtures of the providers, whose READMEs say where their shapes come from.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { costOf, findUnpricedTokens } from '../src/pricing/cost.ts';
import type { Usage } from '../src/pricing/model-price.ts';
import { parsePriceInput } from '../src/pricing/price-input.ts';
import type { Endpoint, UsageReading } from '../src/providers/provider.ts';
import { findProvider } from '../src/providers/registry.ts';
import { sumInput, sumOutput } from '../src/providers/sum-usage.ts';
import { modelCall, runTap } from './model-call.ts';

interface VendorCase {
  readonly what: string;
  /** Id of the wire format, whose folder has the fixture. */
  readonly format: string;
  readonly endpoint: Endpoint;
  /** A fixture's name, or a body of its own. */
  readonly answer: string | object;
  /** Dollars per million tokens, without the end of each name. */
  readonly price: Readonly<Record<string, string>>;
  /** All tokens of input and output, as the vendor counts them. */
  readonly total: number;
  /** In nano-dollars. */
  readonly cost: bigint;
}

const CHAT = 'chat.completions';
const GPT = { input: '0.25', cached_input: '0.025', output: '2' };
const CLAUDE = { input: '3', cached_input: '0.3', cache_write: '3.75', long_cache_write: '6', output: '15' };
const DEEPSEEK = { input: '0.28', cached_input: '0.028', output: '0.42' };

const CASES: readonly VendorCase[] = [
  {
    what: 'OpenAI, cached input and reasoning',
    format: 'openai',
    endpoint: CHAT,
    answer: 'chat.json',
    price: GPT,
    total: 1_182,
    // 82 × 250 = 20 500; 1024 × 25 = 25 600; (12 + 64 of reasoning) × 2000 = 152 000
    cost: 198_100n,
  },
  {
    what: 'OpenAI, the same streamed',
    format: 'openai',
    endpoint: CHAT,
    answer: 'chat-usage.sse',
    price: GPT,
    total: 1_182,
    cost: 198_100n,
  },
  {
    what: 'OpenAI, audio heard and spoken',
    format: 'openai',
    endpoint: CHAT,
    answer: 'chat-audio-priority.json',
    price: { input: '2.5', output: '10', audio_input: '32', audio_output: '64' },
    total: 160,
    // 20 × 2500 = 50 000; 100 × 32 000 = 3 200 000; 10 × 10 000 = 100 000; 30 × 64 000 = 1 920 000
    cost: 5_270_000n,
  },
  {
    what: 'Anthropic, both lifetimes of cache writes',
    format: 'anthropic',
    endpoint: 'messages',
    answer: 'messages-cached.json',
    price: CLAUDE,
    total: 4_599,
    // 2048 × 3000 = 6 144 000; 1800 × 300 = 540 000; 148 × 3750 = 555 000; 100 × 6000 = 600 000; 503 × 15 000 = 7 545 000
    cost: 15_384_000n,
  },
  {
    what: 'Anthropic, the same streamed with less input',
    format: 'anthropic',
    endpoint: 'messages',
    answer: 'stream-cached.sse',
    price: CLAUDE,
    total: 2_555,
    // 4 × 3000 = 12 000; the rest as above: 9 240 000
    cost: 9_252_000n,
  },
  {
    what: 'Anthropic, thinking at the price of output',
    format: 'anthropic',
    endpoint: 'messages',
    answer: 'messages.json',
    price: CLAUDE,
    total: 373,
    // 25 × 3000 = 75 000; (36 + 312 of thinking) × 15 000 = 5 220 000
    cost: 5_295_000n,
  },
  {
    what: 'Google, cached input and thoughts',
    format: 'gemini',
    endpoint: 'generateContent',
    answer: 'generate-cached.json',
    price: { input: '0.3', cached_input: '0.03', output: '2.5' },
    total: 1_182,
    // 82 × 300 = 24 600; 1024 × 30 = 30 720; (12 + 64 of thoughts) × 2500 = 190 000
    cost: 245_320n,
  },
  {
    what: 'Google, audio that was heard, cached and spoken, beside an image and a video',
    format: 'gemini',
    endpoint: 'generateContent',
    answer: 'generate-audio.json',
    price: {
      input: '0.3',
      cached_input: '0.03',
      audio_input: '1',
      cached_audio_input: '0.1',
      output: '2.5',
      audio_output: '10',
    },
    total: 2_150,
    // Heard 700 × 1000 = 700 000, cached 800 × 100 = 80 000, spoken 100 × 10 000 = 1 000 000; the image's 216 and the 84
    // of text and video × 300 = 90 000; cached text and image 200 × 30 = 6 000; (20 + 30 of thoughts) × 2500 = 125 000
    cost: 2_001_000n,
  },
  {
    what: 'Google, the whole call at the prices of a long one, audio too',
    format: 'gemini',
    endpoint: 'generateContent',
    answer: {
      candidates: [],
      usageMetadata: {
        promptTokenCount: 250_000,
        candidatesTokenCount: 10,
        totalTokenCount: 250_010,
        promptTokensDetails: [
          { modality: 'TEXT', tokenCount: 50_000 },
          { modality: 'AUDIO', tokenCount: 200_000 },
        ],
      },
    },
    price: { input: '1.25', output: '10', above_input: '2.5', above_output: '15', above_audio_input: '3' },
    total: 250_010,
    // 50 000 × 2500 = 125 000 000; 200 000 × 3000 = 600 000 000; 10 × 15 000 = 150 000
    cost: 725_150_000n,
  },
  {
    what: 'DeepSeek, hits and misses of its cache, and reasoning',
    format: 'deepseek',
    endpoint: CHAT,
    answer: 'chat.json',
    price: DEEPSEEK,
    total: 1_226,
    // 232 × 280 = 64 960; 768 × 28 = 21 504; (12 + 214 of reasoning) × 420 = 94 920
    cost: 181_384n,
  },
  {
    what: 'DeepSeek, the same streamed',
    format: 'deepseek',
    endpoint: CHAT,
    answer: 'chat-usage.sse',
    price: DEEPSEEK,
    total: 1_226,
    cost: 181_384n,
  },
  {
    what: 'a compatible server, without a price for what was cached, and half a nano-dollar a token',
    format: 'openai-compatible',
    endpoint: CHAT,
    answer: 'chat.json',
    price: { input: '0.0375', output: '0.15' },
    total: 1_182,
    // (82 + 1024) × 37.5 = 41 475; (12 + 64) × 150 = 11 400
    cost: 52_875n,
  },
  {
    what: 'a compatible server, every class at once',
    format: 'openai-compatible',
    endpoint: CHAT,
    answer: {
      usage: {
        prompt_tokens: 1_000,
        completion_tokens: 300,
        total_tokens: 1_300,
        prompt_tokens_details: { cached_tokens: 600, cache_write_tokens: 100, audio_tokens: 200 },
        completion_tokens_details: { reasoning_tokens: 120, audio_tokens: 80 },
      },
    },
    price: {
      input: '1',
      cached_input: '0.1',
      cache_write: '1.25',
      audio_input: '10',
      output: '4',
      reasoning: '5',
      audio_output: '20',
    },
    total: 1_300,
    // 100 × 1000 = 100 000; 600 × 100 = 60 000; 100 × 1250 = 125 000; 200 × 10 000 = 2 000 000;
    // 100 × 4000 = 400 000; 120 × 5000 = 600 000; 80 × 20 000 = 1 600 000
    cost: 4_885_000n,
  },
  {
    what: "OpenAI's responses, cached input and reasoning",
    format: 'openai',
    endpoint: 'responses',
    answer: 'response.json',
    price: GPT,
    total: 1_182,
    // As the chat of the same tokens.
    cost: 198_100n,
  },
  {
    what: "OpenAI's responses, the same streamed",
    format: 'openai',
    endpoint: 'responses',
    answer: 'response-usage.sse',
    price: GPT,
    total: 1_182,
    cost: 198_100n,
  },
  {
    what: "OpenAI's responses, both lifetimes of cache writes",
    format: 'openai',
    endpoint: 'responses',
    answer: {
      usage: {
        input_tokens: 1_000,
        input_tokens_details: {
          cached_tokens: 600,
          cache_write_tokens: 300,
          cache_write_tokens_details: { ttl_30m_tokens: 100, ttl_12h_tokens: 200 },
        },
        output_tokens: 50,
        output_tokens_details: { reasoning_tokens: 20 },
        total_tokens: 1_050,
      },
    },
    price: { input: '2', cached_input: '0.2', cache_write: '2.5', long_cache_write: '4', output: '8' },
    total: 1_050,
    // 100 × 2000 = 200 000; 600 × 200 = 120 000; 100 × 2500 = 250 000; 200 × 4000 = 800 000; 50 × 8000 = 400 000
    cost: 1_770_000n,
  },
  {
    what: "OpenAI's images, text and an image read",
    format: 'openai',
    endpoint: 'images.generations',
    answer: {
      usage: {
        input_tokens: 50,
        input_tokens_details: { text_tokens: 40, image_tokens: 10 },
        output_tokens: 2_112,
        total_tokens: 2_162,
      },
    },
    price: { input: '5', image_input: '10', output: '10', image_output: '40' },
    total: 2_162,
    // 40 × 5000 = 200 000; 10 × 10 000 = 100 000; 2112 × 40 000 = 84 480 000
    cost: 84_780_000n,
  },
  {
    what: "OpenAI's transcriptions, a prompt beside the recording",
    format: 'openai',
    endpoint: 'audio.transcriptions',
    answer: {
      text: 'x',
      usage: {
        type: 'tokens',
        input_tokens: 40,
        input_token_details: { text_tokens: 10, audio_tokens: 30 },
        output_tokens: 7,
        total_tokens: 47,
      },
    },
    price: { input: '2.5', audio_input: '6', output: '10' },
    total: 47,
    // 10 × 2500 = 25 000; 30 × 6000 = 180 000; 7 × 10 000 = 70 000
    cost: 275_000n,
  },
  {
    what: 'embeddings, which have input alone',
    format: 'openai',
    endpoint: 'embeddings',
    answer: { usage: { prompt_tokens: 8, total_tokens: 8 } },
    price: { input: '0.13', output: '0' },
    total: 8,
    // 8 × 130
    cost: 1_040n,
  },
];

describe('what a call costs', () => {
  for (const each of CASES) {
    test(`${each.what}: to the nano-dollar, and no token twice`, () => {
      const reading = read(each);
      assert.ok('usage' in reading, JSON.stringify(reading));
      const usage: Usage = { ...reading.usage, provenance: 'provider' };
      const price = priceOf(each.price);
      assert.equal(sumInput(usage) + sumOutput(usage), each.total);
      assert.deepEqual(findUnpricedTokens(price, usage), []);
      assert.equal(costOf(price, usage), each.cost);
    });
  }
});

function read({ format, endpoint, answer }: VendorCase): UsageReading {
  const provider = findProvider(format);
  assert.ok(provider, format);
  if (typeof answer !== 'string') return provider.readUsage(endpoint, Buffer.from(JSON.stringify(answer)));
  const bytes = readFileSync(new URL(`../src/providers/${format}/__fixtures__/${answer}`, import.meta.url));
  if (!answer.endsWith('.sse')) return provider.readUsage(endpoint, bytes);
  return runTap(provider.createStreamTap(modelCall({ stream: true }, { endpoint })), bytes).summary.reading;
}

/** Read as the API reads a price: what begins with `above_` is of calls with more than 200,000 tokens of input. */
function priceOf(price: VendorCase['price']) {
  const fields = Object.entries(price).map(([name, usd]) => [`${name}_usd_per_million`, usd] as const);
  const above = fields.filter(([name]) => name.startsWith(ABOVE));
  const body = {
    ...Object.fromEntries(fields.filter(([name]) => !name.startsWith(ABOVE))),
    ...(above.length === 0
      ? {}
      : {
          above: {
            input_tokens: 200_000,
            ...Object.fromEntries(above.map(([name, usd]) => [name.slice(ABOVE.length), usd])),
          },
        }),
  };
  const parsed = parsePriceInput({ provider: 'p', model: 'm', body }, 0);
  assert.ok(parsed.valid);
  return parsed.price;
}

const ABOVE = 'above_';
