/** Forgets the answers to idempotent requests once nobody may repeat them any more. */
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../storage/database.ts';

export const IDEMPOTENCY_LIFE_MS = 24 * 3_600_000;

export async function pruneIdempotency(database: Database, clock: Clock): Promise<void> {
  const beforeMs = BigInt(clock.nowMs() - IDEMPOTENCY_LIFE_MS);
  await database.commit(
    { steps: [database.step((db) => db.deleteFrom('idempotency').where('created_at', '<', beforeMs))] },
    'soon',
  );
}
