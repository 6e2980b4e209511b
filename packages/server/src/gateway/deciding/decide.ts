/** Everything that must be true before an attempt may leave: authorized, routed, within its limits, and paid for. */
import { Denial } from '../../kernel/denial.ts';
import { checkModel, checkNetwork, checkPermission } from '../../access/authorize.ts';
import { CLAIMED, STALE } from '../../ledger/ledger.ts';
import type { CredentialStore } from '../../credentials/credential-store.ts';
import type { Clock } from '../../kernel/clock.ts';
import { type Principal, limitSubjectsOf } from '../../keys/key.ts';
import type { Admission, LimitSubject, Limiter } from '../../limits/limiter.ts';
import { replayed } from '../../signing/read-signature.ts';
import type { PriceStore } from '../../pricing/price-store.ts';
import type { Balancer } from '../../routing/balance.ts';
import type { RouteStore } from '../../routing/route-store.ts';
import { type Selection, selectionOf, selectTargets } from '../../routing/select-targets.ts';
import { type Target, sandboxTarget, targetId } from '../../routing/target.ts';
import { type EstimateUnder, estimateCall } from './estimate.ts';
import type { Asking } from './asking.ts';
import { addressCall } from './outbound.ts';
import { type Paid, type ReserveRooms, reserveCall } from './reserve-call.ts';
import { ENDPOINT_PERMISSIONS } from '../reading/parse-call.ts';
import type { ParsedCall } from '../reading/parsed-call.ts';
import type { Targets } from '../../routing/targets.ts';

/** An attempt that may leave. Its places must be finished and its reservation resolved, each once. */
export interface Decision extends Paid {
  readonly principal: Principal;
  readonly target: Target;
  readonly selection: Selection;
  /** The key's, for all attempts of the call together. */
  readonly admission: Admission;
  /** The credential's own, for this attempt alone. */
  readonly place: Admission;
  /** There is another target that could serve this call, and has not been tried. */
  readonly hasOther: boolean;
}

export interface DecisionRooms extends ReserveRooms {
  readonly clock: Clock;
  readonly credentials: CredentialStore;
  readonly routes: RouteStore;
  readonly prices: PriceStore;
  readonly limiter: Limiter;
  readonly targets: Targets;
  readonly balancer: Balancer;
}

/** `STALE` when the key or its budgets changed meanwhile: authenticate and decide anew. What is refused consumes nothing. */
export async function decideAttempt(
  rooms: DecisionRooms,
  call: ParsedCall,
  by: Asking,
): Promise<Decision | Denial | typeof STALE> {
  const { progress } = by;
  const { key, parent, organizationRevision } = by.principal;
  const excluded =
    checkPermission(by.principal, ENDPOINT_PERMISSIONS[call.endpoint]) ??
    checkNetwork(by.principal, by.address);
  if (excluded !== undefined) return excluded;
  const selection = await selectFor(rooms, by.principal, call.model);
  if (selection instanceof Denial) return selection;
  const forbidden = checkModel(by.principal, selection.names);
  if (forbidden !== undefined) return forbidden;
  const budgets = await rooms.budgets.forCall(
    { keyId: key.id, parentId: parent?.key.id, projectId: key.projectId, organizationId: key.organizationId },
    organizationRevision,
  );
  const credit = await rooms.credits.forOrganization(key.organizationId, organizationRevision);
  const isBudgeted = budgets.length > 0 || credit !== undefined;
  const placed = await takePlace(rooms, { call, by, isBudgeted, selection });
  if (placed instanceof Denial) return placed;
  const admission =
    progress.admission ?? (await rooms.limiter.admit(limitSubjectsOf(by.principal), placed.estimate.tokens));
  if (admission instanceof Denial) {
    placed.place.cancel();
    rooms.targets.gaveUp(placed.target);
    return admission;
  }
  const giveBack = () => {
    placed.place.cancel();
    rooms.targets.gaveUp(placed.target);
    // An admission that earlier attempts have used is theirs, too.
    if (progress.admission === undefined) admission.cancel();
  };
  const isTranslated = placed.outbound.translation !== undefined;
  const under = { ...underOf(by.principal, isBudgeted), isTranslated };
  let paid: Awaited<ReturnType<typeof reserveCall>>;
  try {
    paid = await reserveCall(rooms, { by, budgets, credit, under, call, route: selection.route, ...placed });
  } catch (fault) {
    giveBack();
    throw fault;
  }
  if (paid === STALE || paid === CLAIMED || paid instanceof Denial) {
    giveBack();
    return paid === CLAIMED ? replayed(key) : paid;
  }
  return { principal: by.principal, selection, admission, ...placed, ...paid };
}

interface Deciding {
  readonly call: ParsedCall;
  readonly by: Asking;
  /** What it costs is bounded: by a budget, or by credit. */
  readonly isBudgeted: boolean;
  readonly selection: Selection;
}

type Prepared = Pick<Decision, 'outbound' | 'estimate'>;
type Placed = Prepared & Pick<Decision, 'target' | 'place' | 'hasOther'>;

/** The best target that can serve this call and has room for it; else why not. */
async function takePlace(rooms: DecisionRooms, of: Deciding): Promise<Placed | Denial> {
  const { tried, only } = of.by.progress;
  const asked = { call: of.call, under: underOf(of.by.principal, of.isBudgeted) };
  const open = of.selection.candidates.filter(({ target }) => !tried.has(targetId(target)));
  let left = only === undefined ? open : open.filter(({ target }) => targetId(target) === only);
  let refusal: Denial | undefined;
  while (left.length > 0) {
    const chosen = rooms.balancer.choose(left, ({ target }) => rooms.targets.stateOf(target));
    if (chosen === undefined) break;
    const { target } = chosen;
    left = left.filter((each) => each !== chosen);
    // Before anything is waited for: of a half-open target there is one probe.
    rooms.targets.began(target);
    const placed = await placeAt(rooms, target, asked);
    if (!(placed instanceof Denial)) {
      const hasOther = open.some(
        (each) => each !== chosen && !(prepareFor(rooms, each.target, asked) instanceof Denial),
      );
      return { ...placed, target, hasOther };
    }
    rooms.targets.gaveUp(target);
    // What passes by itself is the better reason to be told.
    if (refusal === undefined || placed.code === 'rate_limit_exceeded') refusal = placed;
  }
  return refusal ?? new Denial('model_not_found', { param: 'model' });
}

interface Asked {
  readonly call: ParsedCall;
  readonly under: Omit<EstimateUnder, 'isTranslated'>;
}

function underOf({ key }: Principal, isBudgeted: boolean): Asked['under'] {
  return { isBudgeted, isFree: key.kind === 'test' };
}

async function placeAt(
  rooms: DecisionRooms,
  target: Target,
  asked: Asked,
): Promise<(Prepared & Pick<Placed, 'place'>) | Denial> {
  const prepared = prepareFor(rooms, target, asked);
  if (prepared instanceof Denial) return prepared;
  const place = await admitTo(rooms.limiter, target, prepared.estimate.tokens);
  return place instanceof Denial ? place : { ...prepared, place };
}

function prepareFor({ targets }: DecisionRooms, target: Target, { call, under }: Asked): Prepared | Denial {
  const outbound = addressCall(call, target, targets.providerOf(target));
  if (outbound instanceof Denial) return outbound;
  const isTranslated = outbound.translation !== undefined;
  const estimate = estimateCall(outbound.call, target, { ...under, isTranslated });
  return estimate instanceof Denial ? estimate : { outbound, estimate };
}

const UNLIMITED: Admission = {
  state: { requests: undefined, tokens: undefined },
  finish: () => {},
  cancel: () => {},
};

/** What may be sent with one credential is limited whoever asks. */
async function admitTo(
  limiter: Limiter,
  { credential }: Target,
  tokens: number,
): Promise<Admission | Denial> {
  if (credential === undefined || !hasLimits(credential)) return UNLIMITED;
  const place = await limiter.admit([credential], tokens);
  if (!(place instanceof Denial)) return place;
  const { retryAfterMs } = place.detail;
  return new Denial('rate_limit_exceeded', {
    message: "Keyfold's own limit for this provider's credential is reached.",
    facts: { limit: 'credential' },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  });
}

function hasLimits({ limits }: LimitSubject): boolean {
  return Object.values(limits).some((limit) => limit !== undefined);
}

async function selectFor(
  rooms: DecisionRooms,
  { key, organizationRevision }: Principal,
  model: string,
): Promise<Selection | Denial> {
  if (key.kind === 'test') return selectionOf(model, [sandboxTarget(model)]);
  const { organizationId } = key;
  return selectTargets(model, {
    credentials: await rooms.credentials.forOrganization(organizationId, organizationRevision),
    routes: await rooms.routes.forOrganization(organizationId, organizationRevision),
    catalog: await rooms.prices.catalog(organizationId, organizationRevision),
    nowMs: rooms.clock.nowMs(),
  });
}
