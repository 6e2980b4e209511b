/** Tests of importing LiteLLM's price map: what becomes a price, and that nothing is dropped in silence. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { importLitellmPrices, LITELLM_ENTRIES_MAX } from './litellm-import.ts';

const CHAT = {
  litellm_provider: 'openai',
  mode: 'chat',
  input_cost_per_token: 2e-6,
  output_cost_per_token: 8e-6,
};

describe('importLitellmPrices', () => {
  it('reads every price class, the long tier and the limits', () => {
    const { models, skipped } = importLitellmPrices(
      {
        'gemini/gemini-2.5-pro': {
          litellm_provider: 'gemini',
          mode: 'chat',
          input_cost_per_token: 1.25e-6,
          output_cost_per_token: 1e-5,
          cache_read_input_token_cost: 1.25e-7,
          cache_creation_input_token_cost: 1.5625e-6,
          cache_creation_input_token_cost_above_1hr: 2.5e-6,
          output_cost_per_reasoning_token: 1.1e-5,
          input_cost_per_token_above_200k_tokens: 2.5e-6,
          output_cost_per_token_above_200k_tokens: 1.5e-5,
          cache_read_input_token_cost_above_200k_tokens: 2.5e-7,
          cache_creation_input_token_cost_above_1hr_above_200k_tokens: 5e-6,
          input_cost_per_token_above_200k_tokens_priority: 9e-6,
          max_input_tokens: 1_048_576,
          max_output_tokens: 65_535,
          source: 'https://example.com/pricing',
        },
      },
      7,
    );
    assert.deepEqual(skipped, []);
    assert.deepEqual(models, [
      {
        provider: 'google',
        model: 'gemini-2.5-pro',
        upstreamModel: 'gemini-2.5-pro',
        aliases: [],
        mode: 'chat',
        inputPerMillion: 1_250_000_000n,
        outputPerMillion: 10_000_000_000n,
        cachedInputPerMillion: 125_000_000n,
        cacheWritePerMillion: 1_562_500_000n,
        longCacheWritePerMillion: 2_500_000_000n,
        reasoningPerMillion: 11_000_000_000n,
        above: {
          inputTokens: 200_000,
          inputPerMillion: 2_500_000_000n,
          outputPerMillion: 15_000_000_000n,
          cachedInputPerMillion: 250_000_000n,
          longCacheWritePerMillion: 5_000_000_000n,
        },
        contextTokens: 1_048_576,
        outputTokensMax: 65_535,
        effectiveFromMs: 7,
        source: 'https://example.com/pricing',
      },
    ]);
  });

  it('keeps the base price of input or output that the long tier does not raise', () => {
    const { models } = importLitellmPrices(
      { a: { ...CHAT, input_cost_per_token_above_128k_tokens: 4e-6 } },
      0,
    );
    assert.deepEqual(models[0]?.above, {
      inputTokens: 128_000,
      inputPerMillion: 4_000_000_000n,
      outputPerMillion: 8_000_000_000n,
    });
  });

  it('maps modes and takes an embedding without an output price as free of output', () => {
    const { models } = importLitellmPrices(
      {
        r: { ...CHAT, mode: 'responses' },
        c: { ...CHAT, mode: 'completion', litellm_provider: 'text-completion-openai' },
        e: { litellm_provider: 'openai', mode: 'embedding', input_cost_per_token: 2e-8 },
      },
      0,
    );
    assert.deepEqual(
      models.map(({ provider, model, mode, outputPerMillion }) => [provider, model, mode, outputPerMillion]),
      [
        ['openai', 'r', 'chat', 8_000_000_000n],
        ['openai', 'c', 'completion', 8_000_000_000n],
        ['openai', 'e', 'embedding', 0n],
      ],
    );
  });

  it('reads models of images and sound whose tokens have prices, whatever else is told of them', () => {
    const { models, skipped } = importLitellmPrices(
      {
        'gpt-image-1': {
          litellm_provider: 'openai',
          mode: 'image_generation',
          input_cost_per_token: 5e-6,
          input_cost_per_image_token: 1e-5,
          output_cost_per_image_token: 4e-5,
          output_cost_per_image: 0.17,
        },
        'gpt-4o-mini-tts': {
          litellm_provider: 'openai',
          mode: 'audio_speech',
          input_cost_per_token: 6e-7,
          output_cost_per_audio_token: 1.2e-5,
          output_cost_per_second: 0.00025,
        },
        'gpt-4o-transcribe': {
          litellm_provider: 'openai',
          mode: 'audio_transcription',
          input_cost_per_token: 2.5e-6,
          input_cost_per_audio_token: 6e-6,
          output_cost_per_token: 1e-5,
        },
        'omni-moderation-latest': {
          litellm_provider: 'openai',
          mode: 'moderation',
          input_cost_per_token: 0,
          output_cost_per_token: 0,
        },
      },
      0,
    );
    assert.deepEqual(skipped, []);
    assert.deepEqual(
      models.map((price) => [
        price.mode,
        price.inputPerMillion,
        price.audioInputPerMillion ?? price.imageInputPerMillion,
        price.outputPerMillion,
        price.audioOutputPerMillion ?? price.imageOutputPerMillion,
      ]),
      [
        ['image', 5_000_000_000n, 10_000_000_000n, 40_000_000_000n, 40_000_000_000n],
        ['speech', 600_000_000n, undefined, 12_000_000_000n, 12_000_000_000n],
        ['transcription', 2_500_000_000n, 6_000_000_000n, 10_000_000_000n, undefined],
        ['moderation', 0n, undefined, 0n, undefined],
      ],
    );
  });

  it('skips each entry that it cannot price, with the reason', () => {
    const { models, skipped } = importLitellmPrices(
      {
        sample_spec: {},
        video: { ...CHAT, mode: 'video_generation' },
        drawn: { litellm_provider: 'openai', mode: 'image_generation', output_cost_per_image: 0.04 },
        heard: { litellm_provider: 'openai', mode: 'audio_transcription', input_cost_per_second: 0.0001 },
        spoken: { litellm_provider: 'openai', mode: 'audio_speech', input_cost_per_character: 1.5e-5 },
        apart: {
          litellm_provider: 'openai',
          mode: 'image_generation',
          input_cost_per_token: 0,
          output_cost_per_token: 0,
          input_cost_per_pixel: 4e-8,
        },
        elsewhere: { ...CHAT, litellm_provider: 'bedrock' },
        unpriced: { litellm_provider: 'openai', mode: 'chat' },
        half: { litellm_provider: 'openai', mode: 'chat', input_cost_per_token: 1e-6 },
        negative: { ...CHAT, input_cost_per_token: -1e-6 },
        text: { ...CHAT, output_cost_per_token: '8e-06' },
        tiers: {
          ...CHAT,
          input_cost_per_token_above_128k_tokens: 1e-6,
          input_cost_per_token_above_200k_tokens: 1e-6,
        },
        'bad name': CHAT,
        nothing: null,
        'openai/twin': CHAT,
        twin: CHAT,
      },
      0,
    );
    assert.deepEqual(
      models.map((price) => price.model),
      ['twin'],
    );
    assert.deepEqual(
      skipped.map(({ model, reason }) => `${model}: ${reason}`),
      [
        'sample_spec: sample_spec describes the format',
        'video: mode video_generation is not priced by tokens here',
        'drawn: entry is not priced by tokens but has output_cost_per_image',
        'heard: entry is not priced by tokens but has input_cost_per_second',
        'spoken: entry is not priced by tokens but has input_cost_per_character',
        'apart: entry is not priced by tokens but has input_cost_per_pixel',
        'elsewhere: litellm_provider bedrock is not a provider of the catalog',
        'unpriced: input_cost_per_token is missing',
        'half: output_cost_per_token is missing',
        'negative: input_cost_per_token is not a price per token',
        'text: output_cost_per_token is not a price per token',
        'tiers: entry has more than one long-context threshold',
        'bad name: name must be 1 to 200 of the characters A-Z a-z 0-9 . _ : / @ + -',
        'nothing: entry must be an object',
        'twin: openai/twin is already imported from another entry',
      ],
    );
  });

  it('skips what is charged by the piece beside its tokens, where no price of a token tells it', () => {
    const image = { ...CHAT, mode: 'image_generation', output_cost_per_image: 0.039 };
    const { models, skipped } = importLitellmPrices(
      {
        'gpt-4o-search-preview': {
          ...CHAT,
          search_context_cost_per_query: { search_context_size_low: 0.03 },
        },
        draws: image,
        'draws-by-tokens': { ...image, output_cost_per_image_token: 3e-5 },
        'draws-for-free': { ...image, output_cost_per_image: 0 },
        sees: { ...CHAT, input_cost_per_image: 0.001, output_cost_per_image_token: 3e-5 },
        'sees-in-long-calls': { ...CHAT, input_cost_per_image_above_128k_tokens: 0.001 },
        hears: { ...CHAT, input_cost_per_audio_per_second: 0.0001 },
        films: { ...CHAT, input_cost_per_video_per_second: 0.0001, input_cost_per_video_token: 1e-6 },
        asks: { ...CHAT, input_cost_per_query: 0.002 },
        spells: { ...CHAT, input_cost_per_character: 1e-6 },
        'gpt-4.1': { ...CHAT, search_context_cost_per_query: { search_context_size_low: 0.03 } },
        'searches-for-free': { ...CHAT, search_context_cost_per_query: { search_context_size_low: 0 } },
      },
      0,
    );
    assert.deepEqual(
      models.map((price) => price.model),
      ['draws-by-tokens', 'draws-for-free', 'spells', 'gpt-4.1', 'searches-for-free'],
    );
    assert.deepEqual(
      skipped.map(({ model, reason }) => `${model}: ${reason}`),
      [
        'gpt-4o-search-preview: search_context_cost_per_query is charged by the search, and this model always searches',
        'draws: output_cost_per_image is charged besides tokens, and no price of a token tells it',
        'sees: input_cost_per_image is charged besides tokens, and no price of a token tells it',
        'sees-in-long-calls: input_cost_per_image_above_128k_tokens is charged besides tokens, and no price of a token tells it',
        'hears: input_cost_per_audio_per_second is charged besides tokens, and no price of a token tells it',
        'films: input_cost_per_video_per_second is charged besides tokens, and no price of a token tells it',
        'asks: input_cost_per_query is charged besides tokens, and no price of a token tells it',
      ],
    );
  });

  it('accounts for every entry, whatever the map holds', () => {
    const entry = fc.oneof(
      fc.jsonValue(),
      fc.record({ litellm_provider: fc.constant('openai'), mode: fc.constant('chat') }),
    );
    fc.assert(
      fc.property(fc.dictionary(fc.string(), entry), (map) => {
        const { models, skipped } = importLitellmPrices(map, 0);
        assert.equal(models.length + skipped.length, Object.keys(map).length);
      }),
    );
  });

  it('refuses a whole that is not an object or is too large', () => {
    for (const map of [null, [], 'x', 1])
      assert.throws(() => importLitellmPrices(map, 0), /must be an object/);
    const large = Object.fromEntries(
      Array.from({ length: LITELLM_ENTRIES_MAX + 1 }, (_, index) => [index, 0]),
    );
    assert.throws(() => importLitellmPrices(large, 0), /more than 50000/);
  });
});
