/** Test support: the vendors of the matrix, each with a stand-in, a model and prices. */
import assert from 'node:assert/strict';
import type { TestKeyfold } from '../../keyfold.ts';
import { anthropicFormat } from '../../stand-ins/anthropic.ts';
import { geminiFormat } from '../../stand-ins/gemini.ts';
import { COMPATIBLE, DEEPSEEK, OPENAI } from '../../stand-ins/openai-flavours.ts';
import { openAiFormat } from '../../stand-ins/openai.ts';
import { type Format, type StandIn, type Tokens, startStandIn } from '../../stand-ins/vendor.ts';

export interface Vendor {
  /** As documentation names it. */
  readonly name: string;
  readonly provider: string;
  readonly model: string;
  /** Of its API, below its origin. */
  readonly basePath: string;
  readonly format: Format;
  /** What every answer costs, in the classes that it counts. */
  readonly tokens: Tokens;
  /** Which of the client's sequences ended an answer is told. */
  readonly tellsSequence: boolean;
}

const TOKENS: Tokens = { input: 11, cached: 30, written: 7, output: 13, reasoning: 5 };
const UNWRITTEN: Tokens = { ...TOKENS, written: 0 };

export const VENDORS: readonly Vendor[] = [
  {
    name: 'OpenAI',
    provider: 'openai',
    model: 'gpt-5-mini',
    basePath: '/v1',
    format: openAiFormat('sk-stand-in-openai', OPENAI),
    tokens: TOKENS,
    tellsSequence: false,
  },
  {
    name: 'Anthropic',
    provider: 'anthropic',
    model: 'claude-sonnet-4-6',
    basePath: '/v1',
    format: anthropicFormat('sk-stand-in-anthropic'),
    tokens: TOKENS,
    tellsSequence: true,
  },
  {
    name: 'Google',
    provider: 'google',
    model: 'gemini-3-flash',
    basePath: '/v1beta',
    format: geminiFormat('stand-in-google'),
    tokens: UNWRITTEN,
    tellsSequence: false,
  },
  {
    name: 'DeepSeek',
    provider: 'deepseek',
    model: 'deepseek-v4-pro',
    basePath: '/v1',
    format: openAiFormat('sk-stand-in-deepseek', DEEPSEEK),
    tokens: UNWRITTEN,
    tellsSequence: false,
  },
  {
    name: 'compatible server',
    provider: 'openai-compatible',
    model: 'llama-test',
    basePath: '/v1',
    format: openAiFormat('sk-stand-in-compatible', COMPATIBLE),
    tokens: UNWRITTEN,
    tellsSequence: true,
  },
];

export interface RunningVendor extends Vendor {
  readonly standIn: StandIn;
}

/** Starts its stand-in, and gives the gateway a credential and prices for it. */
export async function startVendor(keyfold: TestKeyfold, vendor: Vendor): Promise<RunningVendor> {
  const standIn = await startStandIn(vendor.format);
  try {
    await register(keyfold, { ...vendor, standIn });
  } catch (error) {
    await standIn[Symbol.asyncDispose]();
    throw error;
  }
  return { ...vendor, standIn };
}

async function register(keyfold: TestKeyfold, vendor: RunningVendor): Promise<void> {
  const { provider, model, basePath, format, standIn } = vendor;
  const credential = await keyfold.request('POST', '/v1/credentials', {
    provider,
    name: provider,
    secret: format.secret,
    base_url: standIn.origin + basePath,
    allow_networks: ['127.0.0.0/8'],
    models: [model],
  });
  assert.equal(credential.status, 201, credential.text);
  const priced = await keyfold.request('PUT', `/v1/catalog/models/${provider}/${model}`, PRICE);
  assert.equal(priced.status, 200, priced.text);
}

/** A class apart costs what no sum of others does. */
const PRICE = {
  input_usd_per_million: '1',
  cached_input_usd_per_million: '0.1',
  cache_write_usd_per_million: '1.25',
  output_usd_per_million: '10',
  reasoning_usd_per_million: '20',
  output_tokens_max: 4_000,
};

/** At these prices, in nano-dollars. */
export function costNanos({ input, cached, written, output, reasoning }: Tokens): number {
  return input * 1_000 + cached * 100 + written * 1_250 + output * 10_000 + reasoning * 20_000;
}
