/**
 * What a vendor bills is never more than what was charged for it, and never more than what was held wherever the call
 * itself says how much it can become: from a vendor's own request to its own usage.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { costOf } from '../pricing/cost.ts';
import { parsePriceInput } from '../pricing/price-input.ts';
import type { Endpoint } from '../providers/provider.ts';
import { findProvider } from '../providers/registry.ts';
import type { Target } from '../routing/target.ts';
import type { Decision } from './deciding/decide.ts';
import { estimateCall } from './deciding/estimate.ts';
import { parseCall } from './reading/parse-call.ts';
import { settleReported } from './settling/settle.ts';

const USD = (price: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(price).map(([name, usd]) => [`${name}_usd_per_million`, usd]));
const GPT = { ...USD({ input: '1', output: '8' }), context_tokens: 400_000, output_tokens_max: 128_000 };
const HEARD = { ...GPT, ...USD({ audio_input: '10', audio_output: '20' }) };
const CLAUDE = {
  ...USD({ input: '3', cached_input: '0.3', cache_write: '3.75', long_cache_write: '6', output: '15' }),
  context_tokens: 1_000_000,
  output_tokens_max: 64_000,
};
const GEMINI = {
  ...USD({ input: '0.3', output: '2.5', audio_input: '1' }),
  context_tokens: 1_048_576,
  output_tokens_max: 65_536,
};
const DRAWS = { ...GEMINI, mode: 'image', ...USD({ image_output: '30' }) };
const LISTENS = {
  ...USD({ input: '2.5', audio_input: '6', output: '10' }),
  mode: 'transcription',
  context_tokens: 16_000,
  output_tokens_max: 2_000,
};
const IMAGES = { ...USD({ input: '5', output: '10', image_output: '40' }), output_tokens_max: 6_240 };

interface Row {
  readonly what: string;
  readonly format: string;
  readonly endpoint: Endpoint;
  readonly body: object | Buffer;
  readonly price: object;
  readonly usage: object;
  /** More than the call itself lets expect. */
  readonly isOverrun?: true;
}

const chat = (content: unknown, more: object = {}) => ({
  model: 'm',
  max_tokens: 100,
  messages: [{ role: 'user', content }],
  ...more,
});
const contents = (...parts: readonly object[]) => ({
  contents: [{ role: 'user', parts }],
  generationConfig: { maxOutputTokens: 2_000 },
});
const billed = (input: number, output = 100) => ({
  usage: { prompt_tokens: input, completion_tokens: output, total_tokens: input + output },
});
const claude = (input: number, output = 100) => ({ usage: { input_tokens: input, output_tokens: output } });
const gemini = (prompt: number, candidates = 100, more: object = {}) => ({
  usageMetadata: {
    promptTokenCount: prompt,
    candidatesTokenCount: candidates,
    totalTokenCount: prompt + candidates,
    ...more,
  },
});

const PDF = 'JVBERi0xLjcK';
const pdf = { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: PDF } };
const image = { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'eA==' } };
const inline = (mimeType: string) => ({ inlineData: { mimeType, data: 'eA==' } });
const OPENAI = { format: 'openai', endpoint: 'chat.completions', price: GPT } as const;
const MESSAGES = { format: 'anthropic', endpoint: 'messages', price: CLAUDE } as const;
const GENERATE = { format: 'gemini', endpoint: 'generateContent', price: GEMINI } as const;
const SERVER = { ...OPENAI, format: 'openai-compatible' } as const;

const ROWS: readonly Row[] = [
  { ...OPENAI, what: 'text', body: chat('Hello'), usage: billed(8) },
  {
    ...OPENAI,
    what: 'a prompt that the vendor adds, far above what was held',
    body: chat('Hello'),
    usage: billed(30_000),
    isOverrun: true,
  },
  {
    ...OPENAI,
    what: 'an image',
    body: chat([{ type: 'image_url', image_url: { url: 'data:image/png;base64,eA==' } }]),
    usage: billed(30_000),
  },
  {
    ...OPENAI,
    what: 'a document of many empty pages',
    body: chat([
      { type: 'file', file: { filename: 'a.pdf', file_data: `data:application/pdf;base64,${PDF}` } },
    ]),
    usage: billed(232_400),
  },
  {
    ...OPENAI,
    what: 'a document that is only named',
    body: chat([{ type: 'file', file: { file_id: 'file-1' } }]),
    usage: billed(232_400),
  },
  {
    ...OPENAI,
    what: 'an hour of silence',
    price: HEARD,
    body: chat([{ type: 'input_audio', input_audio: { data: 'eA==', format: 'mp3' } }]),
    usage: {
      usage: {
        ...billed(72_000).usage,
        prompt_tokens_details: { audio_tokens: 72_000 },
      },
    },
  },
  {
    ...OPENAI,
    what: "a response's document",
    endpoint: 'responses',
    body: {
      model: 'm',
      max_output_tokens: 100,
      input: [{ role: 'user', content: [{ type: 'input_file', filename: 'a.pdf', file_data: PDF }] }],
    },
    usage: { usage: { input_tokens: 232_400, output_tokens: 100, total_tokens: 232_500 } },
  },
  {
    ...OPENAI,
    what: "a response's computer",
    endpoint: 'responses',
    body: { model: 'm', max_output_tokens: 100, input: 'x', tools: [{ type: 'computer' }] },
    usage: { usage: { input_tokens: 3_000, output_tokens: 100, total_tokens: 3_100 } },
  },
  {
    ...OPENAI,
    what: 'drawings',
    endpoint: 'images.generations',
    price: IMAGES,
    body: { model: 'm', prompt: 'x', n: 2 },
    usage: { usage: { input_tokens: 8, output_tokens: 12_480, total_tokens: 12_488 } },
  },
  {
    ...OPENAI,
    what: 'a recording in pieces, asked for as an object',
    endpoint: 'audio.transcriptions',
    price: LISTENS,
    body: formOf({ model: 'm', 'chunking_strategy[type]': 'server_vad' }),
    usage: {
      usage: {
        type: 'tokens',
        input_tokens: 40_000,
        input_token_details: { audio_tokens: 40_000, text_tokens: 0 },
        output_tokens: 20_000,
        total_tokens: 60_000,
      },
    },
  },
  { ...MESSAGES, what: 'text', body: chat('Hello'), usage: claude(12) },
  {
    ...MESSAGES,
    what: 'a prompt that goes into a cache, and no answer',
    body: { ...chat('Hello'), max_tokens: 0 },
    usage: {
      usage: {
        input_tokens: 4,
        cache_creation_input_tokens: 900,
        cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 900 },
        cache_read_input_tokens: 0,
        output_tokens: 0,
      },
    },
  },
  { ...MESSAGES, what: 'a document of a hundred pages', body: chat([pdf]), usage: claude(232_400) },
  {
    ...MESSAGES,
    what: "a document that is a tool's result",
    body: chat([{ type: 'tool_result', tool_use_id: 't', content: [pdf] }]),
    usage: claude(232_400),
  },
  {
    ...MESSAGES,
    what: "a document's images",
    body: chat([
      { type: 'document', source: { type: 'content', content: Array.from({ length: 30 }, () => image) } },
    ]),
    usage: claude(30 * 4_784),
  },
  {
    ...MESSAGES,
    what: 'an upload that is only named',
    body: chat([{ type: 'container_upload', file_id: 'file_1' }]),
    usage: claude(232_400),
  },
  {
    ...MESSAGES,
    what: 'tools that bring prompts of their own',
    body: chat('x', {
      tools: [
        { type: 'computer_toolset_20260801' },
        { type: 'browser_toolset_20260801' },
        { type: 'bash_20250124', name: 'bash' },
        { type: 'text_editor_20250728', name: 'str_replace_based_edit_tool' },
        { type: 'memory_20250818', name: 'memory' },
      ],
    }),
    usage: claude(4_500 + 6_600 + 245 + 700 + 700 + 804),
  },
  { ...GENERATE, what: 'text', body: contents({ text: 'x' }), usage: gemini(8) },
  {
    ...GENERATE,
    what: 'an hour of a film that stands still',
    body: contents(inline('video/mp4')),
    usage: gemini(946_800),
  },
  {
    ...GENERATE,
    what: 'a document that a function gave back',
    body: contents({
      functionResponse: { name: 'f', response: {}, parts: [inline('application/pdf')] },
    }),
    usage: gemini(258_000),
  },
  {
    ...GENERATE,
    what: 'sound that a function gave back, in the other spelling',
    body: contents({
      function_response: {
        name: 'f',
        response: {},
        parts: [{ inline_data: { mime_type: 'audio/mp3', data: 'eA==' } }],
      },
    }),
    usage: gemini(115_200, 100, { promptTokensDetails: [{ modality: 'AUDIO', tokenCount: 115_200 }] }),
  },
  {
    ...GENERATE,
    what: 'an image that was drawn without being asked for',
    price: DRAWS,
    body: contents({ text: 'x' }),
    usage: gemini(8, 1_290, { candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1_290 }] }),
  },
  {
    ...SERVER,
    what: "a film, by a server's own name for it",
    body: chat([{ type: 'video_url', video_url: { url: 'data:video/mp4;base64,eA==' } }]),
    usage: billed(200_000),
  },
  {
    ...SERVER,
    what: 'a film that is called an image',
    body: chat([{ type: 'image_url', image_url: { url: 'data:video/mp4;base64,eA==' } }]),
    usage: billed(200_000),
  },
  { ...SERVER, what: 'text', format: 'deepseek', body: chat('Hello'), usage: billed(8) },
  {
    ...SERVER,
    what: 'embeddings',
    endpoint: 'embeddings',
    body: { model: 'm', input: ['x', 'y'] },
    usage: { usage: { prompt_tokens: 2, total_tokens: 2 } },
  },
];

describe('what is charged', () => {
  for (const row of ROWS) {
    const { format, endpoint, what } = row;
    test(`is all that is billed, and was held: ${format}, ${endpoint}, ${what}`, () => {
      const parsed = parsePriceInput({ provider: 'p', model: 'm', body: row.price }, 0);
      assert.ok(parsed.valid);
      const { price } = parsed;
      const body = Buffer.isBuffer(row.body) ? row.body : Buffer.from(JSON.stringify(row.body));
      const contentType = 'multipart/form-data; boundary=b0undary';
      const call = parseCall(
        { endpoint, model: format === 'gemini' ? 'm' : undefined },
        { body, query: '', contentType },
      );
      assert.ok('body' in call, JSON.stringify(call));
      const target = { provider: 'p', model: 'm', price } as Target;
      const under = { isBudgeted: true, isFree: false, isTranslated: false };
      const estimate = estimateCall(call, target, under);
      assert.ok('possible' in estimate, 'code' in estimate ? estimate.code : '');
      const reading = findProvider(format)?.readUsage(endpoint, Buffer.from(JSON.stringify(row.usage)));
      assert.ok(reading !== undefined && 'usage' in reading, JSON.stringify(reading));
      const decision = {
        principal: { key: { kind: 'live' } },
        target,
        estimate,
        reservation: { held: estimate.cost, estimate: estimate.cost },
      } as unknown as Decision;
      const settled = settleReported(decision, reading, { status: 200, error: undefined });
      const cost = costOf(price, { ...reading.usage, provenance: 'provider' });
      assert.deepEqual([settled.cost, settled.usage.provenance, settled.flags], [cost, 'provider', []]);
      assert.equal(cost > estimate.cost, row.isOverrun === true, `${cost} of ${estimate.cost} held`);
    });
  }
});

function formOf(fields: Readonly<Record<string, string>>): Buffer {
  const parts = Object.entries(fields).map(([name, value]) => `name="${name}"\r\n\r\n${value}`);
  const all = [...parts, 'name="file"; filename="a.wav"\r\n\r\nRIFF'];
  return Buffer.from(
    `${all.map((part) => `--b0undary\r\nContent-Disposition: form-data; ${part}\r\n`).join('')}--b0undary--\r\n`,
  );
}
