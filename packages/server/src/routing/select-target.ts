/** A public model name to the target that serves it: one provider, model and credential. */
import type { SealedCredential } from '../credentials/credential-store.ts';
import { Denial } from '../kernel/denial.ts';
import type { Catalog } from '../pricing/catalog.ts';
import { type ModelPrice, upstreamModelFor } from '../pricing/model-price.ts';
import { SANDBOX, VENDORS } from './vendors.ts';

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

/**
 * `provider/model` names its target; a bare name is served when one provider has it. `model_not_found` says what would
 * help. Model names may themselves hold slashes.
 */
export function selectTarget(name: string, offer: Offer): Target | Denial {
  const slash = name.indexOf('/');
  const provider = slash === -1 ? '' : name.slice(0, slash);
  if (provider === SANDBOX || VENDORS.has(provider)) {
    const target = targetAt(provider, { model: name.slice(slash + 1), isNamed: true }, offer);
    return target ?? notFound(`No credential of provider '${provider}' offers '${name.slice(slash + 1)}'.`);
  }
  return selectByBareName(name, offer);
}

/** A test key's calls go to the sandbox whatever the model is called, and cost nothing. */
export function sandboxTarget(name: string): Target {
  return { provider: SANDBOX, model: name, upstreamModel: name, credential: undefined, price: undefined };
}

function selectByBareName(name: string, offer: Offer): Target | Denial {
  const providers = new Set(offer.credentials.map((credential) => credential.provider));
  const targets: Target[] = [];
  for (const provider of providers) {
    const target = targetAt(provider, { model: name, isNamed: false }, offer);
    if (target !== undefined) targets.push(target);
  }
  const [target, ...others] = targets;
  if (target !== undefined && others.length === 0) return target;
  if (target !== undefined) {
    const names = targets.map((each) => `${each.provider}/${name}`).join(', ');
    return notFound(`Several providers have a model '${name}'. Name one: ${names}.`);
  }
  const vendors = offer.catalog.findByBareName(name, offer.nowMs).map((price) => price.provider);
  return notFound(
    vendors.length === 0
      ? `No provider offers a model '${name}'.`
      : `The model '${name}' needs a credential of provider ${vendors.join(' or ')}.`,
  );
}

function targetAt(
  provider: string,
  wanted: { readonly model: string; readonly isNamed: boolean },
  offer: Offer,
): Target | undefined {
  const price = offer.catalog.find(provider, wanted.model, offer.nowMs);
  const model = price?.model ?? wanted.model;
  const upstreamModel = price === undefined ? wanted.model : upstreamModelFor(price, wanted.model);
  if (provider === SANDBOX) {
    return price === undefined ? undefined : { provider, model, upstreamModel, credential: undefined, price };
  }
  const credential = offer.credentials.find(
    (each) => each.provider === provider && offers(each, { ...wanted, isPriced: price !== undefined }),
  );
  return credential === undefined ? undefined : { provider, model, upstreamModel, credential, price };
}

/** Without a list, a credential offers what its vendor has: what the catalog knows, or what the caller named in full. */
function offers(
  credential: SealedCredential,
  wanted: { readonly model: string; readonly isNamed: boolean; readonly isPriced: boolean },
): boolean {
  return credential.models?.includes(wanted.model) ?? (wanted.isNamed || wanted.isPriced);
}

function notFound(message: string): Denial {
  return new Denial('model_not_found', { message, param: 'model' });
}
