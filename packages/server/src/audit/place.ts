/** A place in the whole log: of every chain, which record. Written as `1-120`, with several nodes `1-120.2-33`. */
import { NODES_MAX } from '../storage/database.ts';

/** Sequences by node. */
export type Place = ReadonlyMap<number, number>;

const CHAINS_MAX = NODES_MAX.postgres;
const PART = /^([1-9]\d{0,2})-(0|[1-9]\d{0,15})$/;

export function renderPlace(place: Place): string {
  const parts = [...place].toSorted(([a], [b]) => a - b);
  return parts.map(([node, sequence]) => `${node}-${sequence}`).join('.');
}

/** `undefined` for anything that `renderPlace` does not give. */
export function parsePlace(text: string): Place | undefined {
  const parts = text.split('.');
  if (parts.length > CHAINS_MAX) return undefined;
  const place = new Map<number, number>();
  for (const part of parts) {
    const [, node, sequence] = PART.exec(part) ?? [];
    const isKnown = node === undefined || place.has(Number(node)) || Number(node) > CHAINS_MAX;
    if (isKnown || !Number.isSafeInteger(Number(sequence))) return undefined;
    place.set(Number(node), Number(sequence));
  }
  return place;
}
