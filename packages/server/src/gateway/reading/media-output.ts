/** What a call asks to be generated besides text: audio and images have prices of their own. */
import type { JsonObjectScan } from '../../kernel/json-scan.ts';
import type { Medium } from '../../pricing/cost.ts';
import type { ModelPrice } from '../../pricing/model-price.ts';
import type { Endpoint } from '../../providers/provider.ts';
import type { ParsedCall } from './parsed-call.ts';

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

/** What the call asks for, or else what its model makes unless it is told to write alone. */
export function mediaOutputOf(call: ParsedCall, price: ModelPrice | undefined): readonly Medium[] {
  if (call.mediaOutput.length > 0 || price === undefined || !GENERATES.has(call.endpoint))
    return call.mediaOutput;
  const hasPrice =
    price.imageOutputPerMillion !== undefined || price.above?.imageOutputPerMillion !== undefined;
  const draws = price.mode === 'image' || hasPrice;
  return draws && !asksForText(call.scan) ? ['image'] : NOTHING;
}

/** Gemini's models that can draw do so unless `responseModalities` names text alone. */
const GENERATES: ReadonlySet<Endpoint> = new Set<Endpoint>(['generateContent', 'streamGenerateContent']);
const CONFIGS = ['generationConfig', 'generation_config'] as const;
const MODALITIES = ['responseModalities', 'response_modalities'] as const;

function asksForText(scan: JsonObjectScan): boolean {
  const asked: unknown[] = [];
  for (const config of CONFIGS) {
    const span = scan.field(config);
    if (span?.kind !== 'object') continue;
    for (const name of MODALITIES) {
      const modalities = scan.fieldsOf(span).field(name);
      if (modalities !== undefined) asked.push(scan.readJson(modalities));
    }
  }
  return (
    asked.length === 1 &&
    Array.isArray(asked[0]) &&
    asked[0].length > 0 &&
    asked[0].every((each) => each === 'TEXT')
  );
}
