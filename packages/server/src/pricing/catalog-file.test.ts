/** Tests of the shipped catalog, its promised prices, and the messages for a broken file. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadShippedPrices, parseCatalogFile } from './catalog-file.ts';
import { Catalog } from './catalog.ts';
import { formatUsdPerMillion } from './model-price.ts';

const NOV_2026_MS = Date.UTC(2026, 10, 23);

const ENTRY = {
  provider: 'p',
  model: 'm',
  mode: 'chat',
  input_usd_per_million: '1',
  output_usd_per_million: '2',
  source: 'https://example.com/pricing',
  as_of: '2026-11-23',
};

describe('loadShippedPrices', () => {
  const catalog = new Catalog({ shipped: loadShippedPrices() });

  it('ships the models that the product promises at the promised prices', () => {
    const promised = [
      ['openai', 'gpt-4.1', '2.00', '8.00', 'gpt-4.1'],
      ['anthropic', 'claude-sonnet-4.5', '3.00', '15.00', 'claude-sonnet-4-5'],
      ['google', 'gemini-2.5-flash', '0.30', '2.50', 'gemini-2.5-flash'],
      ['deepseek', 'deepseek-v3.2', '0.14', '0.42', 'deepseek-chat'],
      ['sandbox', 'echo', '1.00', '2.00', 'echo'],
      ['sandbox', 'embed', '0.10', '0.00', 'embed'],
    ] as const;
    for (const [provider, model, input, output, upstreamModel] of promised) {
      const price = catalog.find(provider, model, NOV_2026_MS);
      assert(price !== undefined, `${provider}/${model}`);
      assert.equal(formatUsdPerMillion(price.inputPerMillion), input, model);
      assert.equal(formatUsdPerMillion(price.outputPerMillion), output, model);
      assert.equal(price.upstreamModel, upstreamModel);
    }
  });

  it('has no price in force that is dearer cached than uncached, or that exceeds its own context', () => {
    for (const price of catalog.list(NOV_2026_MS)) {
      const name = `${price.provider}/${price.model}`;
      assert((price.cachedInputPerMillion ?? 0n) <= price.inputPerMillion, name);
      assert((price.cacheWritePerMillion ?? price.inputPerMillion) >= price.inputPerMillion, name);
      assert((price.outputTokensMax ?? 0) <= (price.contextTokens ?? 0), name);
      assert((price.audioInputPerMillion ?? price.inputPerMillion) >= price.inputPerMillion, name);
      assert((price.audioOutputPerMillion ?? price.outputPerMillion) >= price.outputPerMillion, name);
      assert((price.above?.inputPerMillion ?? price.inputPerMillion) >= price.inputPerMillion, name);
      const isGenerating = price.mode !== 'embedding' && price.mode !== 'moderation';
      assert(!isGenerating || price.outputTokensMax !== undefined, name);
    }
  });

  it('resolves every bare name to exactly one provider', () => {
    for (const price of catalog.list(NOV_2026_MS)) {
      for (const name of [price.model, ...price.aliases]) {
        assert.equal(catalog.findByBareName(name, NOV_2026_MS).length, 1, name);
      }
    }
  });

  it('changes an announced price on its day', () => {
    const at = (atMs: number): string =>
      formatUsdPerMillion(catalog.find('google', 'gemini-3.8-flash', atMs)?.inputPerMillion ?? assert.fail());
    assert.equal(at(Date.UTC(2027, 0, 1) - 1), '0.75');
    assert.equal(at(Date.UTC(2027, 0, 1)), '1.50');
  });
});

describe('parseCatalogFile', () => {
  it('names the entry and the field that is wrong', () => {
    const broken: readonly (readonly [object, RegExp])[] = [
      [
        { ...ENTRY, input_usd_per_million: '1e3' },
        /^catalog: p\/m: input_usd_per_million must be US dollars/,
      ],
      [{ ...ENTRY, output_usd_per_million: undefined }, /p\/m: output_usd_per_million is required/],
      [{ ...ENTRY, mode: 'telepathy' }, /p\/m: mode must be one of/],
      [{ ...ENTRY, mode: undefined }, /p\/m: mode is required/],
      [{ ...ENTRY, as_of: undefined }, /p\/m: as_of is required/],
      [{ ...ENTRY, source: '' }, /p\/m: source is required/],
      [{ ...ENTRY, aliases: 'x' }, /p\/m: aliases must be a list/],
      [{ ...ENTRY, aliases: ['a b'] }, /p\/m: aliases must be 1 to 200/],
      [{ ...ENTRY, inptu: '1' }, /p\/m: inptu is not a known field/],
      [
        { ...ENTRY, above: { input_usd_per_million: '1', output_usd_per_million: '1' } },
        /p\/m: above.input_tokens is required/,
      ],
      [{ ...ENTRY, model: 1 }, /entry 0: model must be/],
    ];
    for (const [entry, message] of broken) {
      assert.throws(
        () => parseCatalogFile({ models: [entry] }),
        (error) => error instanceof Error && message.test(error.message),
        String(message),
      );
    }
    assert.throws(() => parseCatalogFile({ models: [ENTRY, null] }), /entry 1: it must be an object/);
    assert.throws(() => parseCatalogFile({}), /models must be a list/);
  });

  it('takes an entry without effective_from as in force since ever', () => {
    assert.equal(parseCatalogFile({ models: [ENTRY] })[0]?.effectiveFromMs, 0);
    assert.equal(
      parseCatalogFile({ models: [{ ...ENTRY, effective_from: '2027-01-01' }] })[0]?.effectiveFromMs,
      Date.UTC(2027, 0, 1),
    );
  });
});
