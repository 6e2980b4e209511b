/** Torture: what every budget must have posted and held in every period, summed anew from calls and open reservations. */
import type { BookedBudget, Books } from './books.ts';
import type { Payers } from './payers.ts';

const DAY_MS = 86_400_000n;

interface Sum {
  posted: bigint;
  held: bigint;
  /** Of what is posted: what providers reported beyond the holds of their calls. */
  overrun: bigint;
}

export function findBalanceViolations(
  { calls, reservations, balances, budgets }: Books,
  payers: Payers,
  { isQuiet }: { readonly isQuiet: boolean },
): string[] {
  const violations: string[] = [];
  const sums = new Map<string, Sum>();
  const sumOf = (name: string): Sum => {
    const sum = sums.get(name) ?? { posted: 0n, held: 0n, overrun: 0n };
    sums.set(name, sum);
    return sum;
  };
  const budgetsOf = groupByScope(budgets);
  for (const call of calls) {
    const scopes = payers.scopesOf.get(call.key_id);
    if (scopes === undefined) violations.push(`${call.id} is paid by a key that nobody made`);
    for (const budget of (scopes ?? []).flatMap((scope) => budgetsOf.get(scope) ?? [])) {
      const sum = sumOf(`${budget.id} ${periodStart(budget, call.reserved_at)}`);
      sum.posted += call.cost_nanos;
      if (call.cost_nanos > call.held_nanos) sum.overrun += call.cost_nanos - call.held_nanos;
    }
  }
  for (const reservation of reservations) {
    const [, holds] = JSON.parse(reservation.call) as [unknown, readonly (readonly [string, number])[]];
    for (const [budgetId, start] of holds) sumOf(`${budgetId} ${start}`).held += reservation.held_nanos;
  }
  if (isQuiet && reservations.length > 0) violations.push(`${reservations.length} reservations are left`);

  const byId = new Map(budgets.map((budget) => [budget.id, budget]));
  for (const balance of balances) {
    const name = `${balance.budget_id} ${balance.period_start}`;
    const { posted, held, overrun } = sumOf(name);
    sums.delete(name);
    if (balance.posted_nanos !== posted)
      violations.push(`balance ${name} has posted ${balance.posted_nanos}, its calls cost ${posted}`);
    if (balance.held_nanos !== held)
      violations.push(`balance ${name} holds ${balance.held_nanos}, its reservations hold ${held}`);
    const budget = byId.get(balance.budget_id);
    if (budget === undefined) violations.push(`balance ${name} is of no budget`);
    else violations.push(...findPassedCap(budget, { posted, held, overrun }, payers));
  }
  for (const [name, { posted, held }] of sums) {
    if (posted > 0n || held > 0n)
      violations.push(`there is no balance ${name}, and ${posted} posted, ${held} held`);
  }
  return violations;
}

function findPassedCap(budget: BookedBudget, { posted, held, overrun }: Sum, payers: Payers): string[] {
  const allowed = payers.strictScopes.has(budget.scope_id) ? 0n : overrun;
  if (posted + held - allowed <= budget.cap_nanos) return [];
  return [
    `budget ${budget.id} of ${budget.scope_id} has posted ${posted} and held ${held}, above its cap of ${budget.cap_nanos}`,
  ];
}

function groupByScope(budgets: readonly BookedBudget[]): Map<string, BookedBudget[]> {
  const groups = new Map<string, BookedBudget[]>();
  for (const budget of budgets) {
    groups.set(budget.scope_id, [...(groups.get(budget.scope_id) ?? []), budget]);
  }
  return groups;
}

/** Periods are those of UTC here: the time zones have tests of their own. */
function periodStart({ period }: BookedBudget, atMs: bigint): bigint {
  if (period === 'total') return 0n;
  if (period === 'day') return atMs - (atMs % DAY_MS);
  const at = new Date(Number(atMs));
  return BigInt(Date.UTC(at.getUTCFullYear(), at.getUTCMonth()));
}
