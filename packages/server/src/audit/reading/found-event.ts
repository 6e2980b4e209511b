/** A stored record with what it does not say itself. */
import { ID_PREFIXES } from '@keyfold/protocol';
import type { StoredEvent } from '../stored-event.ts';

export interface FoundEvent extends StoredEvent {
  /** Of the keys that it names, and of its target where that is a project. */
  readonly projects: readonly string[];
}

/** The keys that a record names: who acted, what was acted on, and whose budget it was. */
export function keysIn({ actor, target, detail }: StoredEvent): string[] {
  return [actor, target, detail['scope_id']].filter(isKeyId);
}

function isKeyId(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith(`${ID_PREFIXES.key}_`);
}
