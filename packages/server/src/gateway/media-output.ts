/** What a call asks to be generated besides text: audio and images have prices of their own. */
import type { JsonObjectScan } from '../kernel/json-scan.ts';
import type { Medium } from '../pricing/cost.ts';
import type { Endpoint } from '../providers/provider.ts';

const ALL: readonly Medium[] = ['audio', 'image'];
const NOTHING: readonly Medium[] = [];
/** Endpoints that make nothing else. */
const MADE: Readonly<Partial<Record<Endpoint, readonly Medium[]>>> = {
  'images.generations': ['image'],
  'audio.speech': ['audio'],
};

/** By the endpoint, or by `modalities` of OpenAI's dialect. What is not known there may be anything. */
export function readMediaOutput(endpoint: Endpoint, scan: JsonObjectScan): readonly Medium[] {
  const made = MADE[endpoint];
  if (made !== undefined) return made;
  const span = scan.field('modalities');
  if (span === undefined || span.kind === 'null') return NOTHING;
  const asked: unknown = scan.readJson(span);
  const names: readonly unknown[] = Array.isArray(asked) ? asked : [asked];
  const isKnown = names.every((name) => name === 'text' || ALL.some((medium) => medium === name));
  return isKnown ? ALL.filter((medium) => names.includes(medium)) : ALL;
}
