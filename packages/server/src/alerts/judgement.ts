/** One record while it is judged: what it says, what was found in it, and what of it was counted already. */
import type { StoredEvent } from '../audit/stored-event.ts';
import type { Baseline } from './baseline.ts';
import { networkOf } from './network-of.ts';
import type { Finding, Sighting, SightingKind } from './rule.ts';
import type { SpendChange } from './spend.ts';

export interface Judgement {
  readonly event: StoredEvent;
  readonly mode: 'judge' | 'learn';
  /** The key that was refused something. */
  readonly refused: string | undefined;
  /** The key that it counts for. */
  readonly key: string | undefined;
  readonly change: SpendChange | undefined;
  readonly findings: Finding[];
  readonly sightings: Sighting[];
  /** What was seen for the first time. */
  readonly fresh: Sighting[];
  /** What was counted, looked for and found already. */
  readonly done: string[];
  /** A key that it names and that is no more. */
  unknown: string | undefined;
  /** That were read for it. */
  baselines: Map<string, Baseline> | undefined;
}

export function isFirst({ done }: Judgement, name: string): boolean {
  if (done.includes(name)) return false;
  done.push(name);
  return true;
}

export function sightingIn({ address, detail }: StoredEvent, kind: SightingKind): string | undefined {
  if (kind === 'network') return address === undefined ? undefined : networkOf(address);
  const { provider, model } = detail;
  return typeof provider === 'string' && typeof model === 'string' ? `${provider}/${model}` : undefined;
}

/** Of refusals that are one record. */
export function countOf({ detail }: StoredEvent): bigint {
  const { count } = detail;
  return typeof count === 'number' && Number.isSafeInteger(count) && count > 0 ? BigInt(count) : 1n;
}

export function requestOf({ requestId }: StoredEvent): readonly string[] {
  return requestId === undefined ? [] : [requestId];
}
