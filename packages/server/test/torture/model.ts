/**
 * Torture: the model of the ledger. It knows what the calls did, what the provider has billed and what the clients saw, does
 * its own arithmetic, and says where Keyfold's books contradict any of it.
 */
import type { MockProvider } from '../mock-provider.ts';
import type { BookedCall, Books } from './books.ts';
import { findAuditViolations } from './audit-model.ts';
import { findBalanceViolations } from './balance-model.ts';
import type { ClientView } from './load.ts';
import { userOf } from './load.ts';
import type { Payers } from './payers.ts';
import { NANOS_PER_TOKEN, type PlannedCall, numberOfHold } from './planned-call.ts';

/** What is known of a run, apart from the books. */
export interface Known {
  readonly payers: Payers;
  readonly provider: Pick<MockProvider, 'billOf'>;
  readonly plans: ReadonlyMap<number, PlannedCall>;
  readonly views: ReadonlyMap<number, ClientView>;
}

export interface CheckOptions {
  /** No process has a call under way: nothing may be held any more. */
  readonly isQuiet: boolean;
  /** Of the calls that were sent, those that must be in the books; all that reached the provider where it is absent. */
  readonly mustBeBooked?: ReadonlySet<number>;
}

/** What a run has cost, in nano-dollars. */
export interface Totals {
  readonly calls: number;
  readonly billed: bigint;
  readonly posted: bigint;
  /**
   * Billed above the hold, of calls that a dead process left: a provider that goes beyond the limit that it was given has
   * told nobody but the dead.
   */
  readonly untold: bigint;
  /** Above the bill, of calls that a dead process left: what crashes cost. */
  readonly overchargedByCrashes: bigint;
  /** Above the bill, of calls whose usage the provider did not tell, or not believably: what policy costs. */
  readonly overchargedByPolicy: bigint;
  readonly expired: number;
}

export function findViolations(books: Books, known: Known, options: CheckOptions): string[] {
  const violations = [...findBalanceViolations(books, known.payers, options), ...findAuditViolations(books)];
  for (const { source } of books.drift)
    violations.push(`the sums of usage of source ${source} are not those of its calls`);
  const booked = new Map<number, BookedCall>();
  for (const call of books.calls) {
    const number = numberOfHold(call.held_nanos);
    const plan = number === undefined ? undefined : known.plans.get(number);
    if (number === undefined || plan === undefined) violations.push(`${call.id} is no call that was made`);
    else if (booked.has(number)) violations.push(`call ${number} is booked twice`);
    else {
      booked.set(number, call);
      violations.push(...findCallViolations(call, plan, known));
    }
  }
  const open = new Set(books.reservations.map(({ held_nanos: held }) => numberOfHold(held)));
  for (const [number, plan] of known.plans) {
    const bill = billedNanos(known, number);
    const must = options.mustBeBooked?.has(number) ?? bill !== undefined;
    if (must && !booked.has(number) && (options.isQuiet || !open.has(number))) {
      violations.push(`call ${number} (${plan.conduct.name}) reached the provider and is in no book`);
    }
    if (booked.has(number) && open.has(number))
      violations.push(`call ${number} is booked, and still reserved`);
    if (known.views.get(number)?.status === 402 && (bill !== undefined || booked.has(number))) {
      violations.push(`call ${number} was refused by a budget, and made`);
    }
  }
  return violations;
}

export function totalsOf(books: Books, known: Known): Totals {
  let [billed, posted, untold, crashes, policy, expired] = [0n, 0n, 0n, 0n, 0n, 0];
  for (const call of books.calls) {
    const whole = billedNanos(known, numberOfHold(call.held_nanos) ?? 0) ?? 0n;
    const bill = toldOf(call, whole);
    untold += whole - bill;
    const above = call.cost_nanos - bill;
    billed += bill;
    posted += call.cost_nanos;
    if (call.resolution === 'expiry') {
      crashes += above;
      expired++;
    } else {
      policy += above;
    }
  }
  const sums = { billed, posted, untold, overchargedByCrashes: crashes, overchargedByPolicy: policy };
  return { calls: books.calls.length, ...sums, expired };
}

/** What one call's row says, against its plan and its bill. */
function findCallViolations(call: BookedCall, plan: PlannedCall, known: Known): string[] {
  const bill = billedNanos(known, plan.number);
  const say = (problem: string) =>
    `call ${plan.number} (${plan.conduct.name}): ${problem}: ` +
    `held ${call.held_nanos}, cost ${call.cost_nanos}, billed ${bill ?? 'nothing'}, ${call.resolution} ${call.flags ?? ''}`;
  if (bill !== undefined && call.cost_nanos < toldOf(call, bill))
    return [say('less than the bill is charged')];
  const flags = call.flags?.split(' ') ?? [];
  switch (call.resolution) {
    case 'release':
      return bill === undefined && call.cost_nanos === 0n ? [] : [say('released though it was sent')];
    case 'expiry':
      return call.cost_nanos === call.held_nanos && flags.includes('estimated')
        ? []
        : [say('expired at another charge than its hold')];
    case 'settlement':
      return isAsPlanned(call, plan, flags) ? [] : [say('settled otherwise than it should be')];
  }
}

/** As much of a bill as anybody can know: of a call whose process died no more than the limit that it was given. */
function toldOf({ resolution, held_nanos: held }: BookedCall, bill: bigint): bigint {
  return resolution === 'expiry' && bill > held ? held : bill;
}

function isAsPlanned(call: BookedCall, plan: PlannedCall, flags: readonly string[]): boolean {
  const { charge, flag } = plan.conduct;
  const hasLeft = plan.leavesAfterMs !== undefined;
  // Whose client may have left before the end is charged as one that was cut off, or by what was learnt in time.
  if (hasLeft && call.cost_nanos === call.held_nanos && flags.includes('estimated')) return true;
  if (flag !== undefined && !flags.includes(flag[plan.streamed ? 1 : 0])) return false;
  switch (charge) {
    case 'nothing':
      return call.cost_nanos === 0n;
    case 'hold':
      return call.cost_nanos === call.held_nanos && flags.includes('estimated');
    case 'hold or more':
      return call.cost_nanos >= call.held_nanos && flags.includes('estimated');
    case 'bill':
      return call.cost_nanos === BigInt(plan.billedTokens) * NANOS_PER_TOKEN && !flags.includes('estimated');
  }
}

/** The provider's own bill; `undefined` where the call has not reached it. */
function billedNanos({ provider }: Known, number: number): bigint | undefined {
  const bill = provider.billOf(userOf(number));
  return bill === undefined ? undefined : BigInt(bill.output) * NANOS_PER_TOKEN;
}
