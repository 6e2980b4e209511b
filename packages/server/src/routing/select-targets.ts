/** A public model name to the targets that serve it, in groups by priority. */
import { Denial } from '../kernel/denial.ts';
import { DEFAULT_RETRY, type RetryRules, type Route, type RouteTarget } from './route.ts';
import { type Offer, type Target, targetsAt } from './target.ts';
import { SANDBOX, VENDORS } from './vendors.ts';

export interface Candidate {
  readonly target: Target;
  /** Lower comes first. */
  readonly priority: number;
  /** Its share of the calls among those of its priority. */
  readonly weight: number;
}

export interface Selection {
  /** Never empty. */
  readonly candidates: readonly Candidate[];
  /** All that the model goes by in this call, for the key's list of models. */
  readonly names: readonly string[];
  readonly retry: RetryRules;
  /** The route's name, where the client asked for one. */
  readonly route: string | undefined;
}

/**
 * A route's name means its targets; `provider/model` names one provider; a bare name is served when one provider has it.
 * `model_not_found` says what would help. Model names may themselves hold slashes.
 */
export function selectTargets(
  name: string,
  offer: Offer & { readonly routes: readonly Route[] },
): Selection | Denial {
  const route = offer.routes.find((each) => each.name === name);
  if (route !== undefined) return selectByRoute(route, offer);
  const targets = targetsNamed(name, offer) ?? targetsOfBareName(name, offer);
  return targets instanceof Denial ? targets : selectionOf(name, targets);
}

/** A test key's call, whatever its model is called. */
export function selectionOf(name: string, targets: readonly Target[]): Selection {
  const candidates = targets.map((target) => ({
    target,
    priority: 0,
    weight: target.credential?.weight ?? 1,
  }));
  return { candidates, names: namesOf(name, targets), retry: DEFAULT_RETRY, route: undefined };
}

function selectByRoute(route: Route, offer: Offer): Selection | Denial {
  const candidates = route.targets.flatMap((target) => candidatesOf(target, offer));
  if (candidates.length === 0) {
    const wanted = route.targets.map(({ model }) => model).join(', ');
    return notFound(`No credential serves a target of the route '${route.name}': ${wanted}.`);
  }
  // A key that may use the route may use what is behind it.
  return { candidates, names: [route.name], retry: route.retry, route: route.name };
}

/** The target's share is divided among the credentials of its pool by their own. */
function candidatesOf(wanted: RouteTarget, offer: Offer): Candidate[] {
  const found = targetsNamed(wanted.model, offer);
  if (found === undefined || found instanceof Denial) return [];
  const targets = found.filter(
    ({ credential }) => wanted.credentialId === undefined || credential?.id === wanted.credentialId,
  );
  let weights = 0;
  for (const { credential } of targets) weights += credential?.weight ?? 1;
  return targets.map((target) => ({
    target,
    priority: wanted.priority,
    weight: (wanted.weight * (target.credential?.weight ?? 1)) / weights,
  }));
}

/** `undefined` when the name does not begin with a provider. */
function targetsNamed(name: string, offer: Offer): Target[] | Denial | undefined {
  const slash = name.indexOf('/');
  const provider = slash === -1 ? '' : name.slice(0, slash);
  if (provider !== SANDBOX && !VENDORS.has(provider)) return undefined;
  const model = name.slice(slash + 1);
  const targets = targetsAt(provider, { model, isNamed: true }, offer);
  return targets.length > 0
    ? targets
    : notFound(`No credential of provider '${provider}' offers '${model}'.`);
}

function targetsOfBareName(name: string, offer: Offer): Target[] | Denial {
  const providers = new Set(offer.credentials.map((credential) => credential.provider));
  const found: Target[][] = [];
  for (const provider of providers) {
    const targets = targetsAt(provider, { model: name, isNamed: false }, offer);
    if (targets.length > 0) found.push(targets);
  }
  const [targets, ...others] = found;
  if (targets !== undefined && others.length === 0) return targets;
  if (targets !== undefined) {
    const names = found.map(([first]) => `${first?.provider}/${name}`).join(', ');
    return notFound(`Several providers have a model '${name}'. Name one: ${names}.`);
  }
  const vendors = offer.catalog.findByBareName(name, offer.nowMs).map((price) => price.provider);
  return notFound(
    vendors.length === 0
      ? `No provider offers a model '${name}'.`
      : `The model '${name}' needs a credential of provider ${vendors.join(' or ')}.`,
  );
}

/** A model whose own name has a slash could pass for another provider's: it goes by its full name alone. */
function namesOf(requested: string, targets: readonly Target[]): string[] {
  const [target] = targets;
  if (target === undefined) return [requested];
  const full = `${target.provider}/${target.model}`;
  const isStandIn = target.credential === undefined;
  return target.model.includes('/') && !isStandIn ? [full] : [requested, full, target.model];
}

function notFound(message: string): Denial {
  return new Denial('model_not_found', { message, param: 'model' });
}
