/** Removes child keys that ended long ago: they are made in numbers, and what they did stays in the calls and the log. */
import type { KeySweep } from '../keys/key-sweep.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../storage/database.ts';

export const ENDED_CHILD_KEPT_MS = 86_400_000;

export async function pruneChildren(rooms: {
  readonly keySweep: KeySweep;
  readonly database: Database;
  readonly clock: Clock;
}): Promise<void> {
  const steps = rooms.keySweep.removeChildrenSteps(rooms.clock.nowMs() - ENDED_CHILD_KEPT_MS);
  await rooms.database.commit({ steps }, 'soon');
}
