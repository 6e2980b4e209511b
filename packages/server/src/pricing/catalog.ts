/** Responsible for finding the price of a model at a moment, by provider and name, in memory. */
import type { ModelPrice } from './model-price.ts';

/** What a catalog is built from. */
export interface CatalogSource {
  /** The prices that Keyfold ships. Names and aliases of different models may not collide. */
  readonly shipped: readonly ModelPrice[];
  /** Prices that an operator set, oldest first. One that names a shipped model, or an alias of it, reprices that model. */
  readonly overrides?: readonly ModelPrice[];
}

/** All versions of one model's price, oldest first, never empty. */
type Series = ModelPrice[];

/**
 * An immutable view of all prices. The version in force is the one with the newest `effectiveFromMs` that
 * is not in the future; of two with the same beginning the override wins, and of two overrides the later
 * one. To change prices, build a new catalog and swap it in. Lookups cost two map reads and a binary
 * search over the versions of one model.
 */
export class Catalog {
  readonly #byProvider = new Map<string, Map<string, Series>>();
  readonly #byBareName = new Map<string, Series[]>();
  readonly #all: Series[] = [];

  /** Throws `Error` naming the entry when two shipped models claim the same name. */
  constructor(source: CatalogSource) {
    for (const price of source.shipped) this.#addShipped(price);
    for (const price of source.overrides ?? []) this.#addOverride(price);
    for (const series of this.#all) series.sort((a, b) => a.effectiveFromMs - b.effectiveFromMs);
  }

  /** The price of `model`, a name or an alias, at `provider` at the moment `atMs`; undefined when it has none. */
  find(provider: string, model: string, atMs: number): ModelPrice | undefined {
    const series = this.#byProvider.get(provider)?.get(model);
    return series === undefined ? undefined : versionAt(series, atMs);
  }

  /** The prices of every provider that has a model of this name or alias: none, one, or an ambiguity to refuse. */
  findByBareName(model: string, atMs: number): ModelPrice[] {
    return pricesAt(this.#byBareName.get(model) ?? [], atMs);
  }

  /** The price in force of every model: shipped ones in their order, then those that operators added. */
  list(atMs: number): ModelPrice[] {
    return pricesAt(this.#all, atMs);
  }

  #addShipped(price: ModelPrice): void {
    const existing = this.#series(price.provider, price.model);
    if (existing !== undefined && existing[0]?.model === price.model) {
      assertSameIdentity(existing, price);
      existing.push(price);
      return;
    }
    this.#register(price);
  }

  #addOverride(price: ModelPrice): void {
    const series = this.#series(price.provider, price.model);
    if (series === undefined) {
      this.#register({ ...price, aliases: [] });
    } else {
      series.push(withIdentityOf(series, price));
    }
  }

  #register(price: ModelPrice): void {
    const series: Series = [price];
    this.#all.push(series);
    const names = this.#byProvider.get(price.provider) ?? new Map<string, Series>();
    this.#byProvider.set(price.provider, names);
    for (const name of [price.model, ...price.aliases]) {
      if (names.has(name)) {
        throw new Error(
          `catalog: ${price.provider}/${price.model} claims the name ${name}, which is already taken`,
        );
      }
      names.set(name, series);
      const sameName = this.#byBareName.get(name);
      if (sameName === undefined) this.#byBareName.set(name, [series]);
      else sameName.push(series);
    }
  }

  #series(provider: string, model: string): Series | undefined {
    return this.#byProvider.get(provider)?.get(model);
  }
}

/** The last version whose beginning is not after `atMs`. */
function versionAt(series: Series, atMs: number): ModelPrice | undefined {
  let low = 0;
  let high = series.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const version = series[middle];
    if (version !== undefined && version.effectiveFromMs <= atMs) low = middle + 1;
    else high = middle;
  }
  return series[low - 1];
}

function pricesAt(list: readonly Series[], atMs: number): ModelPrice[] {
  const prices: ModelPrice[] = [];
  for (const series of list) {
    const price = versionAt(series, atMs);
    if (price !== undefined) prices.push(price);
  }
  return prices;
}

/** An override states prices; what the model is called and what it is for stay as shipped. */
function withIdentityOf(series: Series, override: ModelPrice): ModelPrice {
  const first = series[0];
  if (first === undefined) return override;
  const contextTokens = override.contextTokens ?? first.contextTokens;
  const outputTokensMax = override.outputTokensMax ?? first.outputTokensMax;
  return {
    ...override,
    model: first.model,
    upstreamModel: first.upstreamModel,
    aliases: first.aliases,
    mode: first.mode,
    ...(contextTokens === undefined ? {} : { contextTokens }),
    ...(outputTokensMax === undefined ? {} : { outputTokensMax }),
  };
}

function assertSameIdentity(series: Series, price: ModelPrice): void {
  const name = `${price.provider}/${price.model}`;
  for (const version of series) {
    if (version.effectiveFromMs === price.effectiveFromMs) {
      throw new Error(`catalog: ${name} has two prices with the same effective_from`);
    }
    if (version.upstreamModel !== price.upstreamModel || version.aliases.join() !== price.aliases.join()) {
      throw new Error(`catalog: the versions of ${name} differ in upstream_model or aliases`);
    }
  }
}
