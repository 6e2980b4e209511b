/** Torture: the model that the ledger is walked against: its own periods, its own clock, its own sums. */
import { type Id, nanos } from '@keyfold/protocol';
import type { Budget } from '../../src/ledger/budget.ts';
import type { Reservation } from '../../src/ledger/reservation.ts';
import type { Clock } from '../../src/kernel/clock.ts';

const DAY_MS = 86_400_000;
/** A clock that is off by more is not believed, until it has been off by the same for so long. */
const FOLLOWED_MS = 5_000;
const BELIEVED_AFTER_MS = 60_000;

const CAPS = { day: 20_000n, month: 60_000n, total: 300_000n };

/** Four scopes with a budget each, as those of a key, its parent, its project and its organization. */
export function budgetsOfWalk(): readonly Budget[] {
  return (['day', 'month', 'total', 'day'] as const).map((period, index) => ({
    id: `bud_0000000${index}` as Id<'budget'>,
    organizationId: 'org_00000000' as Id<'organization'>,
    scope: 'key',
    scopeId: `key_0000000${index}`,
    period,
    timeZone: 'UTC',
    cap: nanos(CAPS[period] * BigInt(1 + index)),
    raise: undefined,
    alertPercents: [],
    createdAtMs: 0,
  }));
}

interface Sum {
  posted: bigint;
  held: bigint;
  overrun: bigint;
}

export class WalkModel {
  readonly #sums = new Map<string, Sum>();
  #offsetMs = 0;
  #doubt: { readonly offsetMs: number; readonly sinceMs: number } | undefined;

  /** A process that starts believes the machine. */
  believe(offsetMs: number): void {
    this.#offsetMs = offsetMs;
    this.#doubt = undefined;
  }

  /** The clock is read. */
  tick(wallMs: number, monotonicMs: number): void {
    const offsetMs = wallMs - monotonicMs;
    if (Math.abs(offsetMs - this.#offsetMs) <= FOLLOWED_MS) {
      this.believe(offsetMs);
    } else if (this.#doubt === undefined || Math.abs(offsetMs - this.#doubt.offsetMs) > FOLLOWED_MS) {
      this.#doubt = { offsetMs, sinceMs: monotonicMs };
    } else if (monotonicMs - this.#doubt.sinceMs >= BELIEVED_AFTER_MS) {
      this.believe(offsetMs);
    }
  }

  nowMs(machine: Clock): number {
    return machine.monotonicMs() + this.#offsetMs;
  }

  /** False where it does not fit into one of its budgets; then none of them holds anything of it. */
  reserve(
    { budgets, amount }: { readonly budgets: readonly Budget[]; readonly amount: bigint },
    machine: Clock,
  ): boolean {
    const nowMs = this.nowMs(machine);
    const sums = budgets.map((budget) => this.#sumOf(budget, nowMs));
    const fits = sums.every(
      ({ posted, held }, index) => posted + held + amount <= (budgets[index]?.cap ?? 0n),
    );
    if (fits) for (const sum of sums) sum.held += amount;
    return fits;
  }

  resolve({ holds, held }: Pick<Reservation, 'holds' | 'held'>, cost: bigint): void {
    for (const { budgetId, periodStartMs } of holds) {
      const sum = this.#sums.get(`${budgetId} ${periodStartMs}`);
      if (sum === undefined) throw new Error(`${budgetId} held nothing in ${periodStartMs}`);
      sum.held -= held;
      sum.posted += cost;
      if (cost > held) sum.overrun += cost - held;
    }
  }

  /** In the form of the walk's comparison, without what is all zero. */
  render(): string[] {
    return [...this.#sums]
      .filter(([, { posted, held }]) => posted > 0n || held > 0n)
      .map(([name, { posted, held }]) => `${name}: ${posted} ${held}`)
      .toSorted();
  }

  findPassedCap(): string | undefined {
    const caps = new Map(budgetsOfWalk().map(({ id, cap }) => [String(id), cap]));
    for (const [name, { posted, held, overrun }] of this.#sums) {
      const cap = caps.get(name.split(' ')[0] ?? '') ?? 0n;
      if (posted + held - overrun > cap) return `${name} has ${posted} posted and ${held} held of ${cap}`;
    }
    return undefined;
  }

  #sumOf({ id, period }: Budget, nowMs: number): Sum {
    const name = `${id} ${startOf(period, nowMs)}`;
    const sum = this.#sums.get(name) ?? { posted: 0n, held: 0n, overrun: 0n };
    this.#sums.set(name, sum);
    return sum;
  }
}

function startOf(period: Budget['period'], atMs: number): number {
  if (period === 'total') return 0;
  if (period === 'day') return atMs - (((atMs % DAY_MS) + DAY_MS) % DAY_MS);
  const at = new Date(atMs);
  return Date.UTC(at.getUTCFullYear(), at.getUTCMonth());
}
