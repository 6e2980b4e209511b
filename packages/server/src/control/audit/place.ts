/** Reads `<node>-<number>`: the id of an event, or of a checkpoint. */
import { NODES_MAX } from '../../storage/database.ts';
import { z } from '../schemas.ts';

export const PLACE = /^(\d{1,5})-(\d{1,15})$/;

export const nodeNumber = z.coerce.number().int().min(1).max(NODES_MAX.postgres);

/** The text's form has been checked. */
export function readPlace(text: string): { readonly node: number; readonly number: number } {
  const [, node, number] = PLACE.exec(text) ?? [];
  return { node: Number(node), number: Number(number) };
}
