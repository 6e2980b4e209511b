/** Forgets firings and deliveries that are old, and what keys that are no more were seen with; the audit log has what was fired. */
import type { DeliveryStore } from '../alerts/delivery-store.ts';
import type { FiringStore } from '../alerts/firing-store.ts';
import type { SightingStore } from '../alerts/sighting-store.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Database } from '../storage/database.ts';

/** Longer than any pause between two firings, and than the last try of a delivery. */
export const ALERTS_KEPT_MS = 90 * 86_400_000;

export async function pruneAlerts(rooms: {
  readonly database: Database;
  readonly clock: Clock;
  readonly firings: FiringStore;
  readonly deliveries: DeliveryStore;
  readonly sightings: SightingStore;
}): Promise<void> {
  const beforeMs = rooms.clock.nowMs() - ALERTS_KEPT_MS;
  const steps = [
    ...rooms.firings.removeSteps(beforeMs),
    ...rooms.deliveries.removeSteps(beforeMs),
    ...rooms.sightings.removeSteps(),
  ];
  await rooms.database.commit({ steps }, 'soon');
}
