/** Forgets the answers to idempotent requests and calls once nobody may repeat them any more. */
import { IDEMPOTENCY_LIFE_MS } from '../idempotency/idempotency-key.ts';
import type { IdempotentCalls } from '../idempotency/idempotent-calls.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../storage/database.ts';

export async function pruneIdempotency(rooms: {
  readonly database: Database;
  readonly clock: Clock;
  readonly idempotentCalls: IdempotentCalls;
}): Promise<void> {
  const { database, clock } = rooms;
  const beforeMs = BigInt(clock.nowMs() - IDEMPOTENCY_LIFE_MS);
  await database.commit(
    { steps: [database.step((db) => db.deleteFrom('idempotency').where('created_at', '<', beforeMs))] },
    'soon',
  );
  await rooms.idempotentCalls.prune();
}
