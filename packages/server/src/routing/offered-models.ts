/** The models that a key may see: those its organization's credentials offer, and the sandbox's. */
import type { Offer } from './target.ts';
import type { Route } from './route.ts';
import { SANDBOX } from './vendors.ts';

export interface OfferedModel {
  /** The name that always works: a route's, or `provider/model`. */
  readonly id: string;
  /** `keyfold` for a route. */
  readonly provider: string;
  readonly model: string;
}

/** Who owns a route. */
const KEYFOLD = 'keyfold';

export function listOfferedModels(offer: Offer & { readonly routes: readonly Route[] }): OfferedModel[] {
  const found = new Map<string, OfferedModel>();
  const add = (provider: string, model: string) => {
    const id = `${provider}/${model}`;
    if (!found.has(id)) found.set(id, { id, provider, model });
  };
  for (const { name } of offer.routes) found.set(name, { id: name, provider: KEYFOLD, model: name });
  const prices = offer.catalog.list(offer.nowMs);
  for (const credential of offer.credentials) {
    for (const model of credential.models ?? []) add(credential.provider, model);
    if (credential.models !== undefined) continue;
    for (const price of prices) if (price.provider === credential.provider) add(price.provider, price.model);
  }
  for (const price of prices) if (price.provider === SANDBOX) add(SANDBOX, price.model);
  return [...found.values()];
}
