/** Removes calls that are older than they must be kept: few in one commit, with pauses, so that no running call waits for it. */
import { setTimeout } from 'node:timers/promises';
import type { Clock } from '../kernel/clock.ts';
import { pruneCalls } from '../ledger/prune.ts';
import type { Database } from '../storage/database.ts';

/** What the writer removes in a few milliseconds. */
const ROWS_PER_COMMIT = 200;
const PAUSE_MS = 20;
/** One turn; the next goes on. */
const COMMITS_PER_TURN_MAX = 1_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export interface PruneRooms {
  readonly database: Database;
  readonly clock: Clock;
}

export interface PruneOptions {
  readonly keptDays: number;
  /** A turn ends early when it says so. */
  readonly isStopping: () => boolean;
  readonly pause?: () => Promise<unknown>;
}

export async function pruneOldCalls({ database, clock }: PruneRooms, options: PruneOptions): Promise<void> {
  const { keptDays, isStopping, pause = () => setTimeout(PAUSE_MS) } = options;
  // Whole hours: what is left of an hour could not be told from all of it.
  const beforeMs = Math.floor((clock.nowMs() - keptDays * DAY_MS) / HOUR_MS) * HOUR_MS;
  for (let commits = 0; commits < COMMITS_PER_TURN_MAX && !isStopping(); commits++) {
    if (!(await pruneCalls(database, { beforeMs, rowsMax: ROWS_PER_COMMIT }))) return;
    await pause();
  }
}
