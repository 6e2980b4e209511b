/**
 * What must run before all units of a commit: inserts of rows that several processes may insert at once. In one order and
 * each once, so that two processes wait for each other at most in turn.
 */
import type { UnitOfWork } from '../database.ts';
import type { SqlStep } from '../statement.ts';

export async function runAhead(
  units: readonly UnitOfWork[],
  send: (step: SqlStep) => Promise<unknown>,
): Promise<void> {
  const steps = new Map<string, SqlStep>();
  for (const unit of units) {
    for (const step of unit.steps) if ('sql' in step && step.ahead !== undefined) steps.set(step.ahead, step);
  }
  const sorted = [...steps.keys()].sort().flatMap((name) => steps.get(name) ?? []);
  await Promise.all(sorted.map(send));
}
