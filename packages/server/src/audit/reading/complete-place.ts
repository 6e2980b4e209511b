/** Makes of the id of an event a place in every chain: an id says one chain alone, and its record when it was. */
import type { Place } from '../place.ts';
import type { LogParts } from './log-parts.ts';
import type { ChainEdge } from './record-source.ts';

/** A chain that the place does not name comes to where it was at the time of the earliest record that the place does. */
export async function completePlace(
  { source, reader }: LogParts,
  edges: readonly ChainEdge[],
  place: Place,
): Promise<Place> {
  const missing = edges.filter(({ node }) => !place.has(node));
  if (missing.length === 0 || place.size === 0) return place;
  let timeMs = Infinity;
  for (const [node, sequence] of place) {
    const [record] = await source.readBack(node, sequence, sequence);
    const event = record === undefined ? undefined : reader.readOne(node, record);
    timeMs = Math.min(timeMs, event?.timeMs ?? Infinity);
  }
  const whole = new Map(place);
  for (const { node, first } of missing) {
    // Where the record is gone nothing tells when it was: then the chain is taken from its beginning.
    const at = timeMs === Infinity ? undefined : await source.lastUntil(node, timeMs);
    whole.set(node, at ?? first - 1);
  }
  return whole;
}
