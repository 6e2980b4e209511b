/** One way to serve a model: a provider, its name of the model, and the credential to ask with. */
import type { SealedCredential } from '../credentials/credential-store.ts';
import type { Catalog } from '../pricing/catalog.ts';
import { type ModelPrice, upstreamModelFor } from '../pricing/model-price.ts';
import { SANDBOX } from './vendors.ts';

export interface Target {
  readonly provider: string;
  /** The catalog's name, by which calls are recorded. */
  readonly model: string;
  /** The model's name at the vendor. */
  readonly upstreamModel: string;
  /** Absent for the sandbox. */
  readonly credential: SealedCredential | undefined;
  /** Absent when the model has no price. */
  readonly price: ModelPrice | undefined;
}

export interface Offer {
  readonly credentials: readonly SealedCredential[];
  readonly catalog: Catalog;
  readonly nowMs: number;
}

/** Names a target to those who count its calls and its failures: another model of the same credential may be well. */
export function targetId({ credential, upstreamModel }: Target): string {
  return credential === undefined ? SANDBOX : `${credential.id} ${upstreamModel}`;
}

/** A test key's calls go to the sandbox whatever the model is called, and cost nothing. */
export function sandboxTarget(name: string): Target {
  return { provider: SANDBOX, model: name, upstreamModel: name, credential: undefined, price: undefined };
}

/** Every target of one provider for a model: one for each credential that offers it. */
export function targetsAt(
  provider: string,
  /** `isNamed`: the caller named the provider, too. */
  wanted: { readonly model: string; readonly isNamed: boolean },
  offer: Offer,
): Target[] {
  const price = offer.catalog.find(provider, wanted.model, offer.nowMs);
  const model = price?.model ?? wanted.model;
  const upstreamModel = price === undefined ? wanted.model : upstreamModelFor(price, wanted.model);
  if (provider === SANDBOX) {
    return price === undefined ? [] : [{ provider, model, upstreamModel, credential: undefined, price }];
  }
  return offer.credentials
    .filter(
      (each) => each.provider === provider && offers(each, { ...wanted, isPriced: price !== undefined }),
    )
    .map((credential) => ({ provider, model, upstreamModel, credential, price }));
}

/** Without a list, a credential offers what its vendor has: what the catalog knows, or what the caller named in full. */
function offers(
  credential: SealedCredential,
  wanted: { readonly model: string; readonly isNamed: boolean; readonly isPriced: boolean },
): boolean {
  return credential.models?.includes(wanted.model) ?? (wanted.isNamed || wanted.isPriced);
}
