/**
 * What calls of a key and model have cost of the most that they could: what a key's policy may hold instead of the worst
 * case. In memory, since it only decides how much is held: whoever starts anew holds the worst case again.
 */
import { type Nanos, ZERO_NANOS, nanos } from '@keyfold/protocol';
import type { MeasuredEstimate } from '../keys/key.ts';

/** Calls of a key and model that must have been measured before less than the worst case is held. */
const CALLS_MIN = 20;
/** Where so many were measured, the older ones count half. */
const CALLS_MAX = 200;
const ENTRIES_MAX = 10_000;
/** A nano-dollar. */
const LEAST = 1n;

interface Measured {
  calls: number;
  cost: bigint;
  estimate: bigint;
}

export class MeasuredCosts {
  readonly #measured = new Map<string, Measured>();

  /** A call that was settled at what its provider reported. `estimate` is the most that it could have cost. */
  note(of: { readonly keyId: string; readonly model: string }, call: { cost: Nanos; estimate: Nanos }): void {
    // What can cost nothing, such as counting tokens, says nothing of what calls cost.
    if (call.estimate === ZERO_NANOS) return;
    const name = nameOf(of);
    const measured = this.#measured.get(name) ?? { calls: 0, cost: 0n, estimate: 0n };
    measured.calls += 1;
    measured.cost += call.cost;
    measured.estimate += call.estimate;
    if (measured.calls > CALLS_MAX) {
      measured.calls /= 2;
      measured.cost /= 2n;
      measured.estimate /= 2n;
    }
    // The one that was noted longest ago is forgotten first.
    this.#measured.delete(name);
    this.#measured.set(name, measured);
    const [oldest] = this.#measured.keys();
    if (this.#measured.size > ENTRIES_MAX && oldest !== undefined) this.#measured.delete(oldest);
  }

  /** What to hold for a call that may cost `estimate`; never more than that. */
  holdFor(
    of: { readonly keyId: string; readonly model: string },
    { estimate, policy }: { readonly estimate: Nanos; readonly policy: MeasuredEstimate | undefined },
  ): Nanos {
    const measured = policy === undefined ? undefined : this.#measured.get(nameOf(of));
    if (policy === undefined || measured === undefined || measured.calls < CALLS_MIN) return estimate;
    const share = 100n * measured.estimate;
    if (share === 0n) return estimate;
    const likely = ceilDivide(estimate * BigInt(policy.multiplePercent) * measured.cost, share);
    const held = likely > policy.floor ? likely : policy.floor;
    // What may cost something is never held at nothing: a call without a hold would be on no budget.
    const least = held > 0n ? held : LEAST;
    return least < estimate ? nanos(least) : estimate;
  }
}

function ceilDivide(amount: bigint, by: bigint): bigint {
  return (amount + by - 1n) / by;
}

function nameOf({ keyId, model }: { readonly keyId: string; readonly model: string }): string {
  return `${keyId} ${model}`;
}
