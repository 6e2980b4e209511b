/** How much a call asks to be generated: the limit of its output and the number of its answers, in each dialect's words. */
import { Denial } from '../../kernel/denial.ts';
import type { JsonObjectScan, JsonSpan } from '../../kernel/json-scan.ts';
import { DIALECTS, type Dialect, type Endpoint } from '../../providers/provider.ts';

export interface Generation {
  /** The most output tokens a choice may have, where the client says. */
  readonly outputTokensMax: number | undefined;
  readonly choices: number;
  /** Output tokens that come beside the answers. */
  readonly tokensBeside: number;
}

interface Words {
  readonly outputLimits: readonly string[];
  readonly choices: readonly string[];
  /** The object that holds them, under each of its names; the body itself where there is none. */
  readonly within: readonly string[];
}

/** A field of another dialect means nothing. Gemini takes either way of writing a name. */
const WORDS: Readonly<Record<Dialect, Words>> = {
  openai: { outputLimits: ['max_tokens', 'max_completion_tokens'], choices: ['n', 'best_of'], within: [] },
  anthropic: { outputLimits: ['max_tokens'], choices: [], within: [] },
  gemini: {
    outputLimits: ['maxOutputTokens', 'max_output_tokens'],
    choices: ['candidateCount', 'candidate_count'],
    within: ['generationConfig', 'generation_config'],
  },
};
/** Those of OpenAI's paths that say it otherwise than a chat does. */
const OWN_WORDS: Readonly<Partial<Record<Endpoint, Words>>> = {
  responses: { outputLimits: ['max_output_tokens'], choices: [], within: [] },
  'images.generations': { outputLimits: [], choices: ['n'], within: [] },
  'audio.speech': { outputLimits: [], choices: [], within: [] },
  moderations: { outputLimits: [], choices: [], within: [] },
};
/** Zero is no limit at all to some servers. Anthropic then fills its cache, and answers nothing. */
const TAKES_ZERO: ReadonlySet<Endpoint> = new Set<Endpoint>(['messages', 'messages.count_tokens']);
const OUTPUT_TOKENS_MAX = 10_000_000;
const CHOICES_MAX = 128;
const PARTIAL_IMAGES_MAX = 3;
/** What an image costs that is shown while it takes shape ("Image generation", developers.openai.com). */
const PARTIAL_IMAGE_TOKENS = 100;

export function readGeneration(endpoint: Endpoint, scan: JsonObjectScan): Generation | Denial {
  const words = OWN_WORDS[endpoint] ?? WORDS[DIALECTS[endpoint]];
  const holder = findHolder(scan, words.within);
  if (holder instanceof Denial) return holder;
  if (holder === undefined) return { outputTokensMax: undefined, choices: 1, tokensBeside: 0 };
  const min = TAKES_ZERO.has(endpoint) ? 0 : 1;
  const outputTokensMax = readLargest(holder, words.outputLimits, { min, max: OUTPUT_TOKENS_MAX });
  if (outputTokensMax instanceof Denial) return outputTokensMax;
  const choices = readLargest(holder, words.choices, { min: 1, max: CHOICES_MAX });
  if (choices instanceof Denial) return choices;
  const isImage = endpoint === 'images.generations';
  const partial = isImage ? readLargest(scan, ['partial_images'], { min: 0, max: PARTIAL_IMAGES_MAX }) : 0;
  if (partial instanceof Denial) return partial;
  const tokensBeside = (choices ?? 1) * (partial ?? 0) * PARTIAL_IMAGE_TOKENS;
  return { outputTokensMax, choices: choices ?? 1, tokensBeside };
}

/** Where a call that was read says how much output a choice may have; null says nothing. */
export function findOutputLimits(
  endpoint: Endpoint,
  scan: JsonObjectScan,
): { readonly span: JsonSpan; readonly tokens: number }[] {
  const words = OWN_WORDS[endpoint] ?? WORDS[DIALECTS[endpoint]];
  const holder = findHolder(scan, words.within);
  if (holder === undefined || holder instanceof Denial) return [];
  return words.outputLimits.flatMap((name) => {
    const span = holder.field(name);
    return span?.kind === 'number' ? [{ span, tokens: holder.readNumber(span) }] : [];
  });
}

export function invalid(param: string, problem: string): Denial {
  return new Denial('invalid_request', { param, message: `'${param}' ${problem}.` });
}

/** Two of them would leave open which one counts. */
function findHolder(scan: JsonObjectScan, names: readonly string[]): JsonObjectScan | undefined | Denial {
  if (names.length === 0) return scan;
  const there = names.filter((name) => (scan.field(name)?.kind ?? 'null') !== 'null');
  const [name] = there;
  if (name === undefined) return undefined;
  if (there.length > 1) return invalid(name, `and '${there[1] ?? ''}' are the same field: send one`);
  const span = scan.field(name);
  return span?.kind === 'object' ? scan.fieldsOf(span) : invalid(name, 'must be an object');
}

/** The largest of the fields that are there; each must be an integer in range. */
function readLargest(
  scan: JsonObjectScan,
  names: readonly string[],
  range: { readonly min: number; readonly max: number },
): number | undefined | Denial {
  let largest: number | undefined;
  for (const name of names) {
    const span = scan.field(name);
    if (span === undefined || span.kind === 'null') continue;
    const value = span.kind === 'number' ? scan.readNumber(span) : Number.NaN;
    if (!Number.isSafeInteger(value) || value < range.min || value > range.max) {
      return invalid(name, `must be an integer from ${range.min} to ${range.max}`);
    }
    largest = Math.max(largest ?? value, value);
  }
  return largest;
}
