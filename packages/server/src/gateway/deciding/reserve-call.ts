/** Holds what an attempt may cost: the worst case, or what its key's policy says; if need be with less output than asked. */
import { type Nanos, ZERO_NANOS } from '@keyfold/protocol';
import { Denial } from '../../kernel/denial.ts';
import type { Key, Principal } from '../../keys/key.ts';
import type { BudgetStore } from '../../ledger/budget-store.ts';
import type { Budget } from '../../ledger/budget.ts';
import type { CreditAccount } from '../../ledger/credit/account.ts';
import type { CreditStore } from '../../ledger/credit/credit-store.ts';
import type { CLAIMED, Ledger, STALE } from '../../ledger/ledger.ts';
import type { MeasuredCosts } from '../../ledger/measured-costs.ts';
import type { Reservation } from '../../ledger/reservation.ts';
import type { Target } from '../../routing/target.ts';
import type { ParsedCall } from '../reading/parsed-call.ts';
import { clampOutput } from './clamp-output.ts';
import type { Asking } from './asking.ts';
import { type Estimate, type EstimateUnder, estimateCall } from './estimate.ts';
import type { Outbound } from './outbound.ts';

export interface ReserveRooms {
  readonly budgets: BudgetStore;
  readonly credits: CreditStore;
  readonly ledger: Ledger;
  readonly measured: MeasuredCosts;
}

/** An attempt that needs nothing any more but its money. */
export interface Payable {
  readonly by: Asking;
  readonly budgets: readonly Budget[];
  readonly credit: CreditAccount | undefined;
  readonly under: EstimateUnder;
  readonly call: ParsedCall;
  readonly target: Target;
  readonly outbound: Outbound;
  readonly estimate: Estimate;
  readonly route: string | undefined;
}

export interface Paid {
  readonly reservation: Reservation;
  readonly outbound: Outbound;
  readonly estimate: Estimate;
  /** The output limit that was written over the client's, since no budget had room for more. */
  readonly clampedTo: number | undefined;
}

type Refused = Denial | typeof STALE | typeof CLAIMED;

/** What less output may mend. */
const EXHAUSTED: ReadonlySet<Denial['code']> = new Set<Denial['code']>([
  'budget_exhausted',
  'credit_exhausted',
]);
/** Less output than this is no answer: the call is refused. */
const OUTPUT_TOKENS_MIN = 16;

export async function reserveCall(rooms: ReserveRooms, payable: Payable): Promise<Paid | Refused> {
  const { outbound, estimate } = payable;
  const reservation = await reserve(rooms, payable, estimate);
  if (!(reservation instanceof Denial)) {
    return typeof reservation === 'symbol'
      ? reservation
      : { reservation, outbound, estimate, clampedTo: undefined };
  }
  const mayClamp = EXHAUSTED.has(reservation.code) && payer(payable.by.principal).clampsOutput;
  const clamped = mayClamp ? await clamp(rooms, payable) : undefined;
  if (clamped === undefined) return reservation;
  const again = await reserve(rooms, payable, clamped.estimate);
  return again instanceof Denial || typeof again === 'symbol' ? again : { ...clamped, reservation: again };
}

/** By whose policies a call is paid for: children have none of their own. */
export function payer({ key, parent }: Pick<Principal, 'key' | 'parent'>): Key {
  return parent?.key ?? key;
}

function reserve({ ledger, measured }: ReserveRooms, payable: Payable, { cost }: Estimate) {
  const { by, target, call } = payable;
  const { key, version, parent, organizationRevision } = by.principal;
  return ledger.reserve({
    call: {
      organizationId: key.organizationId,
      projectId: key.projectId,
      keyId: key.id,
      parentId: parent?.key.id,
      keyVersion: version.version,
      requestId: by.requestId,
      endpoint: call.endpoint,
      provider: target.provider,
      model: target.model,
      credentialId: target.credential?.id,
      streamed: call.streamed,
      attempt: by.progress.attempt,
      route: payable.route,
    },
    address: by.address,
    budgets: payable.budgets,
    credit: payable.credit,
    amount: holdOf(measured, payable, cost),
    estimate: cost,
    claims: by.claims,
    condition: by.condition,
    organizationRevision,
  });
}

function holdOf(measured: MeasuredCosts, { by, target }: Payable, estimate: Nanos): Nanos {
  const { id: keyId, estimate: policy } = payer(by.principal);
  return measured.holdFor({ keyId, model: target.model }, { estimate, policy });
}

/** The same call with the longest output that every budget has room for; `undefined` where that is none to speak of. */
async function clamp(rooms: ReserveRooms, payable: Payable): Promise<Omit<Paid, 'reservation'> | undefined> {
  const { outbound, estimate, target } = payable;
  if (!estimate.isClampable || estimate.outputTokensMax <= OUTPUT_TOKENS_MIN) return undefined;
  const room = await roomFor(rooms, payable);
  if (room === undefined || room <= ZERO_NANOS) return undefined;
  const estimateWith = (outputTokensMost: number): Estimate | undefined => {
    const call = {
      ...outbound.call,
      outputTokensMax: least(outbound.call.outputTokensMax, outputTokensMost),
    };
    const estimated = estimateCall(call, target, { ...payable.under, outputTokensMost });
    const fits = !(estimated instanceof Denial) && holdOf(rooms.measured, payable, estimated.cost) <= room;
    return fits ? estimated : undefined;
  };
  // There may be room for all of it by now.
  if (holdOf(rooms.measured, payable, estimate.cost) <= room)
    return { outbound, estimate, clampedTo: undefined };
  let fitting = estimateWith(OUTPUT_TOKENS_MIN);
  if (fitting === undefined) return undefined;
  let [clampedTo, beyond] = [OUTPUT_TOKENS_MIN, estimate.outputTokensMax];
  while (beyond - clampedTo > 1) {
    const middle = Math.floor((clampedTo + beyond) / 2);
    const estimated = estimateWith(middle);
    if (estimated === undefined) beyond = middle;
    else [clampedTo, fitting] = [middle, estimated];
  }
  return {
    outbound: { ...outbound, call: clampOutput(outbound.call, clampedTo) },
    estimate: fitting,
    clampedTo,
  };
}

/** The least that is left of what pays for the call; `undefined` where nothing bounds it. */
async function roomFor({ budgets, credits }: ReserveRooms, payable: Payable): Promise<Nanos | undefined> {
  const { credit } = payable;
  const states = await Promise.all([
    budgets.statesOf(payable.budgets),
    ...(credit === undefined ? [] : [credits.stateOf(credit).then((state) => [state])]),
  ]);
  return states
    .flat()
    .reduce<Nanos | undefined>(
      (lowest, { remaining }) => (lowest === undefined || remaining < lowest ? remaining : lowest),
      undefined,
    );
}

/** A limit that the client did not name is written as the estimate's cap. */
function least(asked: number | undefined, most: number): number | undefined {
  return asked === undefined ? undefined : Math.min(asked, most);
}
