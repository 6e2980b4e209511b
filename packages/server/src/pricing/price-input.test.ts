/** Tests of what an operator may set as a price, and of the field that a refusal names. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { ModelPrice } from './model-price.ts';
import { OPERATOR_SOURCE, parsePriceInput } from './price-input.ts';

const NOW_MS = Date.UTC(2026, 10, 23);
const BODY = { input_usd_per_million: '1.5', output_usd_per_million: '6' };

function accept(body: unknown): ModelPrice {
  const result = parsePriceInput({ provider: 'openai', model: 'gpt-x', body }, NOW_MS);
  assert(result.valid, result.valid ? '' : `${result.field} ${result.problem}`);
  return result.price;
}

function refusedField(body: unknown, provider = 'openai', model = 'gpt-x'): string {
  const result = parsePriceInput({ provider, model, body }, NOW_MS);
  assert(!result.valid, `accepted ${JSON.stringify(body)}`);
  assert.match(result.problem, /^(must|is) /);
  return result.field;
}

describe('parsePriceInput', () => {
  it('reads every field', () => {
    const price = accept({
      ...BODY,
      cached_input_usd_per_million: '0.15',
      cache_write_usd_per_million: '1.875',
      long_cache_write_usd_per_million: '3',
      reasoning_usd_per_million: '7',
      above: { input_tokens: 200_000, input_usd_per_million: '3', output_usd_per_million: '9' },
      mode: 'completion',
      context_tokens: 400_000,
      output_tokens_max: 128_000,
      effective_from: '2026-12-01T08:00:00Z',
    });
    assert.deepEqual(price, {
      provider: 'openai',
      model: 'gpt-x',
      upstreamModel: 'gpt-x',
      aliases: [],
      mode: 'completion',
      inputPerMillion: 1_500_000_000n,
      outputPerMillion: 6_000_000_000n,
      cachedInputPerMillion: 150_000_000n,
      cacheWritePerMillion: 1_875_000_000n,
      longCacheWritePerMillion: 3_000_000_000n,
      reasoningPerMillion: 7_000_000_000n,
      above: { inputTokens: 200_000, inputPerMillion: 3_000_000_000n, outputPerMillion: 9_000_000_000n },
      contextTokens: 400_000,
      outputTokensMax: 128_000,
      effectiveFromMs: Date.UTC(2026, 11, 1, 8),
      source: OPERATOR_SOURCE,
    });
  });

  it('leaves absent classes absent and lets the price begin now', () => {
    const price = accept(BODY);
    assert.equal(price.effectiveFromMs, NOW_MS);
    assert.equal(price.mode, 'chat');
    assert.deepEqual(
      [
        'cachedInputPerMillion',
        'cacheWritePerMillion',
        'reasoningPerMillion',
        'above',
        'contextTokens',
      ].filter((name) => name in price),
      [],
    );
  });

  it('takes a number only through its shortest decimal text', () => {
    assert.equal(accept({ ...BODY, input_usd_per_million: 0.3 }).inputPerMillion, 300_000_000n);
    assert.equal(accept({ ...BODY, input_usd_per_million: 2 }).inputPerMillion, 2_000_000_000n);
    for (const number of [1e-7, 0.1 + 0.2, -1, -0, Number.NaN, Number.POSITIVE_INFINITY, 1e21]) {
      assert.equal(
        refusedField({ ...BODY, input_usd_per_million: number }),
        'input_usd_per_million',
        String(number),
      );
    }
  });

  it('refuses a price that is not a plain decimal', () => {
    for (const text of ['-1', '-0', '1e3', '', 'free', '0.0000000001', '1000001', null, true, ['1'], {}]) {
      assert.equal(
        refusedField({ ...BODY, output_usd_per_million: text }),
        'output_usd_per_million',
        JSON.stringify(text),
      );
    }
  });

  it('requires input and output prices and refuses unknown fields', () => {
    assert.equal(refusedField({ output_usd_per_million: '1' }), 'input_usd_per_million');
    assert.equal(refusedField({ input_usd_per_million: '1' }), 'output_usd_per_million');
    assert.equal(refusedField({ ...BODY, cached_usd_per_million: '1' }), 'cached_usd_per_million');
    for (const body of [null, undefined, 'x', [BODY]]) assert.equal(refusedField(body), 'body');
  });

  it('names the field inside above', () => {
    assert.equal(refusedField({ ...BODY, above: 1 }), 'above');
    assert.equal(refusedField({ ...BODY, above: { ...BODY } }), 'above.input_tokens');
    assert.equal(
      refusedField({ ...BODY, above: { input_tokens: 1, output_usd_per_million: '1' } }),
      'above.input_usd_per_million',
    );
    assert.equal(refusedField({ ...BODY, above: { ...BODY, input_tokens: 1, x: 1 } }), 'above.x');
  });

  it('refuses token limits, times and modes that it would have to guess', () => {
    for (const count of [0, -1, 1.5, '1000', 1e13])
      assert.equal(refusedField({ ...BODY, context_tokens: count }), 'context_tokens', String(count));
    assert.equal(refusedField({ ...BODY, output_tokens_max: 0 }), 'output_tokens_max');
    for (const time of [
      'tomorrow',
      '2026-02-30T00:00:00Z',
      '2026-02-30',
      '2026-01-01T00:00:00',
      '2026-01-01T25:00:00Z',
      1_700_000_000_000,
    ]) {
      assert.equal(refusedField({ ...BODY, effective_from: time }), 'effective_from', String(time));
    }
    assert.equal(refusedField({ ...BODY, mode: 'telepathy' }), 'mode');
  });

  it('limits the characters and the length of names', () => {
    assert.equal(refusedField(BODY, 'open ai'), 'provider');
    assert.equal(refusedField(BODY, ''), 'provider');
    assert.equal(refusedField(BODY, 'openai', 'm\n'), 'model');
    assert.equal(refusedField(BODY, 'openai', 'm'.repeat(201)), 'model');
    assert(parsePriceInput({ provider: 'own', model: 'org/model-1.2:tag@v1+x_y', body: BODY }, NOW_MS).valid);
  });

  it('never throws, whatever the body is', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.string(), (value, name) => {
        parsePriceInput({ provider: 'p', model: 'm', body: value }, NOW_MS);
        parsePriceInput(
          { provider: name, model: name, body: { ...BODY, effective_from: value, above: value } },
          NOW_MS,
        );
      }),
    );
  });
});
