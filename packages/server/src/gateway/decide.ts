/** Everything that must be true before a call may leave: authorized, routed, within its limits, and paid for. */
import { Denial } from '../kernel/denial.ts';
import { checkModel, checkNetwork, checkPermission } from '../access/authorize.ts';
import type { BudgetStore } from '../ledger/budget-store.ts';
import { type Ledger, STALE } from '../ledger/ledger.ts';
import type { Reservation } from '../ledger/reservation.ts';
import type { CredentialStore } from '../credentials/credential-store.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Principal } from '../keys/key.ts';
import type { Admission, Limiter } from '../limits/limiter.ts';
import type { PriceStore } from '../pricing/price-store.ts';
import { sandboxTarget, selectTarget, type Target } from '../routing/select-target.ts';
import { type Estimate, estimateCall } from './estimate.ts';
import { ENDPOINT_PERMISSIONS, type ParsedCall } from './parse-call.ts';

/** A call that may leave. Its admission must be finished and its reservation resolved, each once. */
export interface Decision {
  readonly principal: Principal;
  readonly target: Target;
  readonly estimate: Estimate;
  readonly admission: Admission;
  readonly reservation: Reservation;
}

export interface DecisionRooms {
  readonly clock: Clock;
  readonly credentials: CredentialStore;
  readonly prices: PriceStore;
  readonly limiter: Limiter;
  readonly budgets: BudgetStore;
  readonly ledger: Ledger;
}

/** `STALE` when the key or its budgets changed meanwhile: authenticate and decide anew. A refused call consumes nothing. */
export async function decideCall(
  rooms: DecisionRooms,
  call: ParsedCall,
  by: { readonly principal: Principal; readonly requestId: string; readonly address: string },
): Promise<Decision | Denial | typeof STALE> {
  const { key, version, organizationRevision } = by.principal;
  const excluded = checkPermission(key, ENDPOINT_PERMISSIONS[call.endpoint]) ?? checkNetwork(key, by.address);
  if (excluded !== undefined) return excluded;
  const target = await selectTargetFor(rooms, by.principal, call.model);
  if (target instanceof Denial) return target;
  const forbidden = checkModel(key, namesOf(target, call.model));
  if (forbidden !== undefined) return forbidden;

  const budgets = await rooms.budgets.forCall(
    { keyId: key.id, projectId: key.projectId, organizationId: key.organizationId },
    organizationRevision,
  );
  const estimate = estimateCall(call, target, {
    isBudgeted: budgets.length > 0,
    isFree: key.kind === 'test',
  });
  if (estimate instanceof Denial) return estimate;

  const admission = await rooms.limiter.admit(key.id, { rules: key.limits, tokens: estimate.tokens });
  if (admission instanceof Denial) return admission;

  let reservation: Reservation | Denial | typeof STALE;
  try {
    reservation = await rooms.ledger.reserve({
      call: {
        organizationId: key.organizationId,
        projectId: key.projectId,
        keyId: key.id,
        keyVersion: version.version,
        requestId: by.requestId,
        endpoint: call.endpoint,
        provider: target.provider,
        model: target.model,
        credentialId: target.credential?.id,
        streamed: call.streamed,
      },
      budgets,
      amount: estimate.cost,
      organizationRevision,
    });
  } catch (fault) {
    admission.cancel();
    throw fault;
  }
  if (reservation === STALE || reservation instanceof Denial) {
    admission.cancel();
    return reservation;
  }
  return { principal: by.principal, target, estimate, admission, reservation };
}

/** A model whose own name has a slash could pass for another provider's: it goes by its full name alone. */
function namesOf(target: Target, requested: string): string[] {
  const full = `${target.provider}/${target.model}`;
  const isStandIn = target.credential === undefined;
  return target.model.includes('/') && !isStandIn ? [full] : [requested, full, target.model];
}

async function selectTargetFor(
  rooms: DecisionRooms,
  principal: Principal,
  model: string,
): Promise<Target | Denial> {
  if (principal.key.kind === 'test') return sandboxTarget(model);
  return selectTarget(model, {
    credentials: await rooms.credentials.forOrganization(
      principal.key.organizationId,
      principal.organizationRevision,
    ),
    catalog: await rooms.prices.catalog(principal.key.organizationId, principal.organizationRevision),
    nowMs: rooms.clock.nowMs(),
  });
}
