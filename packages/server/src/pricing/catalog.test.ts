/** Tests of finding prices by name, alias and moment, and of what overrides may change. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Catalog } from './catalog.ts';
import { type ModelPrice, nanosPerMillion } from './model-price.ts';

function price(fields: Partial<ModelPrice> & { readonly dollars?: bigint }): ModelPrice {
  const { dollars = 1n, ...rest } = fields;
  const model = rest.model ?? 'm';
  return {
    provider: 'p',
    model,
    upstreamModel: model,
    aliases: [],
    mode: 'chat',
    inputPerMillion: nanosPerMillion(dollars * 1_000_000_000n),
    outputPerMillion: nanosPerMillion(0n),
    effectiveFromMs: 0,
    source: 'test',
    ...rest,
  };
}

function dollarsAt(catalog: Catalog, atMs: number, model = 'm'): bigint | undefined {
  const found = catalog.find('p', model, atMs);
  return found === undefined ? undefined : found.inputPerMillion / 1_000_000_000n;
}

describe('Catalog.find', () => {
  it('finds a model by its name and by every alias, at its own provider only', () => {
    const shipped = [price({ model: 'a', aliases: ['a-1', 'a-2'] })];
    const catalog = new Catalog({ shipped });
    for (const name of ['a', 'a-1', 'a-2']) assert.equal(catalog.find('p', name, 0), shipped[0]);
    assert.equal(catalog.find('p', 'a-3', 0), undefined);
    assert.equal(catalog.find('q', 'a', 0), undefined);
    assert.equal(catalog.find('p', 'constructor', 0), undefined);
  });

  it('gives the version with the newest beginning that is not in the future', () => {
    const catalog = new Catalog({
      shipped: [
        price({ dollars: 3n, effectiveFromMs: 200 }),
        price({ dollars: 1n }),
        price({ dollars: 2n, effectiveFromMs: 100 }),
      ],
    });
    assert.equal(dollarsAt(catalog, -1), undefined);
    assert.equal(dollarsAt(catalog, 0), 1n);
    assert.equal(dollarsAt(catalog, 99), 1n);
    assert.equal(dollarsAt(catalog, 100), 2n);
    assert.equal(dollarsAt(catalog, 199), 2n);
    assert.equal(dollarsAt(catalog, 1_000), 3n);
  });

  it('agrees with a plain scan over any set of versions', () => {
    const beginnings = fc.uniqueArray(fc.integer({ min: 0, max: 50 }), { maxLength: 12 });
    fc.assert(
      fc.property(beginnings, fc.integer({ min: -1, max: 60 }), (versions, atMs) => {
        const catalog = new Catalog({
          shipped: versions.map((effectiveFromMs) => price({ effectiveFromMs })),
        });
        const expected = versions.filter((version) => version <= atMs).toSorted((a, b) => b - a)[0];
        assert.equal(catalog.find('p', 'm', atMs)?.effectiveFromMs, expected);
      }),
    );
  });

  it('lets an override win from its beginning on, and not before', () => {
    const catalog = new Catalog({
      shipped: [price({ dollars: 1n }), price({ dollars: 3n, effectiveFromMs: 300 })],
      overrides: [price({ dollars: 2n, effectiveFromMs: 100 })],
    });
    assert.equal(dollarsAt(catalog, 99), 1n);
    assert.equal(dollarsAt(catalog, 100), 2n);
    assert.equal(dollarsAt(catalog, 300), 3n);
  });

  it('prefers an override to a shipped price, and a later override to an earlier one, of the same beginning', () => {
    const overrides = [price({ dollars: 2n }), price({ dollars: 3n })];
    assert.equal(dollarsAt(new Catalog({ shipped: [price({ dollars: 1n })], overrides }), 0), 3n);
  });

  it('keeps the identity and the limits of a shipped model that is repriced, also through an alias', () => {
    const shipped = price({
      model: 'a',
      upstreamModel: 'a-x',
      aliases: ['a-1'],
      contextTokens: 100,
      outputTokensMax: 10,
      mode: 'embedding',
    });
    const override = price({ model: 'a-1', dollars: 7n, effectiveFromMs: 50, outputTokensMax: 20 });
    const catalog = new Catalog({ shipped: [shipped], overrides: [override] });
    for (const name of ['a', 'a-1']) {
      const found = catalog.find('p', name, 50);
      assert.equal(found?.inputPerMillion, 7_000_000_000n);
      assert.equal(found?.model, 'a');
      assert.equal(found?.upstreamModel, 'a-x');
      assert.deepEqual(found?.aliases, ['a-1']);
      assert.equal(found?.mode, 'embedding');
      assert.equal(found?.contextTokens, 100);
      assert.equal(found?.outputTokensMax, 20);
    }
  });

  it('adds a model that is not shipped, with all its versions', () => {
    const catalog = new Catalog({
      shipped: [],
      overrides: [
        price({ model: 'own', dollars: 1n, effectiveFromMs: 10 }),
        price({ model: 'own', dollars: 2n, effectiveFromMs: 20 }),
      ],
    });
    assert.equal(dollarsAt(catalog, 9, 'own'), undefined);
    assert.equal(dollarsAt(catalog, 10, 'own'), 1n);
    assert.equal(dollarsAt(catalog, 20, 'own'), 2n);
  });
});

describe('Catalog.findByBareName', () => {
  it('gives every provider that has the name or alias in force', () => {
    const catalog = new Catalog({
      shipped: [
        price({ provider: 'p', model: 'a' }),
        price({ provider: 'q', model: 'b', aliases: ['a'] }),
        price({ provider: 'r', model: 'a', effectiveFromMs: 100 }),
      ],
    });
    const providers = (atMs: number): string[] =>
      catalog.findByBareName('a', atMs).map((found) => found.provider);
    assert.deepEqual(providers(0), ['p', 'q']);
    assert.deepEqual(providers(100), ['p', 'q', 'r']);
    assert.deepEqual(catalog.findByBareName('none', 0), []);
  });
});

describe('Catalog.list', () => {
  it('gives one price a model, in order, of those in force', () => {
    const catalog = new Catalog({
      shipped: [
        price({ model: 'b' }),
        price({ model: 'a', effectiveFromMs: 5 }),
        price({ model: 'b', effectiveFromMs: 5 }),
      ],
      overrides: [price({ model: 'c' })],
    });
    const names = (atMs: number): string[] =>
      catalog.list(atMs).map((found) => `${found.model}@${found.effectiveFromMs}`);
    assert.deepEqual(names(0), ['b@0', 'c@0']);
    assert.deepEqual(names(5), ['b@5', 'a@5', 'c@0']);
  });
});

describe('new Catalog', () => {
  it('refuses shipped models that claim the same name, naming them', () => {
    const clash = [price({ model: 'a', aliases: ['x'] }), price({ model: 'b', aliases: ['x'] })];
    assert.throws(() => new Catalog({ shipped: clash }), /p\/b claims the name x/);
    assert.throws(
      () => new Catalog({ shipped: [price({ model: 'a', aliases: ['b'] }), price({ model: 'b' })] }),
      /p\/b claims the name b/,
    );
  });

  it('refuses shipped versions of one model with the same beginning or a different identity', () => {
    assert.throws(() => new Catalog({ shipped: [price({}), price({})] }), /p\/m has two prices/);
    assert.throws(
      () => new Catalog({ shipped: [price({}), price({ aliases: ['x'], effectiveFromMs: 1 })] }),
      /versions of p\/m differ/,
    );
  });
});
