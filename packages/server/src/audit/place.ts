/** A place in the whole log: of every chain, which record. Written as `1-120`, with several nodes `1-120.2-33`. */

/** Sequences by node. */
export type Place = ReadonlyMap<number, number>;

/** Processes that may share one database, and so chains in a log. */
export const NODES_MAX = 64;
const PART = /^([1-9]\d{0,2})-(0|[1-9]\d{0,15})$/;

export function renderPlace(place: Place): string {
  const parts = [...place].toSorted(([a], [b]) => a - b);
  return parts.map(([node, sequence]) => `${node}-${sequence}`).join('.');
}

/** `undefined` for anything that `renderPlace` does not give. */
export function parsePlace(text: string): Place | undefined {
  const parts = text.split('.');
  if (parts.length > NODES_MAX) return undefined;
  const place = new Map<number, number>();
  for (const part of parts) {
    const [, node, sequence] = PART.exec(part) ?? [];
    const isKnown = node === undefined || place.has(Number(node)) || Number(node) > NODES_MAX;
    if (isKnown || !Number.isSafeInteger(Number(sequence))) return undefined;
    place.set(Number(node), Number(sequence));
  }
  return place;
}
