/** Reads of a request body what deciding about the call needs, and refuses what is malformed or dangerous. */
import type { DataPermission } from '@keyfold/protocol';
import { Denial } from '../kernel/denial.ts';
import { JsonRefusal, type JsonObjectScan, scanJsonObject } from '../kernel/json-scan.ts';
import type { Endpoint } from '../providers/provider.ts';
import { countMediaParts, countPrompts } from './count-inputs.ts';

export interface ParsedCall {
  readonly endpoint: Endpoint;
  readonly body: Buffer;
  readonly scan: JsonObjectScan;
  readonly model: string;
  readonly streamed: boolean;
  /** The client asked for the usage chunk of its stream. */
  readonly wantsUsageChunk: boolean;
  /** The most output tokens a choice may have, where the client says. */
  readonly outputTokensMax: number | undefined;
  /** How many answers are generated, for all prompts together. */
  readonly choices: number;
  /** Parts, such as images, that cost more tokens than their text has bytes. */
  readonly mediaParts: number;
}

export const ENDPOINT_PERMISSIONS: Readonly<Record<Endpoint, DataPermission>> = {
  'chat.completions': 'chat',
  completions: 'completions',
  embeddings: 'embeddings',
};

/** No control characters, surrogates or invisible marks: a name is shown, logged and stored. */
const MODEL_NAME = /^[^\p{Cc}\p{Cs}\p{Cf}]{1,256}$/u;
const OUTPUT_TOKENS_MAX = 10_000_000;
const CHOICES_MAX = 128;
const PROMPTS_MAX = 1_000;

export function parseCall(endpoint: Endpoint, body: Buffer): ParsedCall | Denial {
  const scan = scanJsonObject(body);
  if (scan instanceof JsonRefusal) return refuseJson(scan);
  const model = readModel(scan);
  if (model instanceof Denial) return model;
  const streamed = readFlag(scan, 'stream');
  if (streamed instanceof Denial) return streamed;
  const tier = scan.field('service_tier');
  if (tier?.kind === 'string' && scan.readString(tier) === 'priority') {
    return new Denial('unsupported_parameter', {
      param: 'service_tier',
      message: 'Priority processing has no price here.',
    });
  }
  const outputTokensMax = readLargest(scan, ['max_tokens', 'max_completion_tokens'], {
    // Zero is no limit at all to some servers.
    min: 1,
    max: OUTPUT_TOKENS_MAX,
  });
  if (outputTokensMax instanceof Denial) return outputTokensMax;
  const choices = readLargest(scan, ['n', 'best_of'], { min: 1, max: CHOICES_MAX });
  if (choices instanceof Denial) return choices;
  const prompts = endpoint === 'completions' ? countPrompts(scan) : 1;
  if (prompts > PROMPTS_MAX) return invalid('prompt', `may be a list of at most ${PROMPTS_MAX} prompts`);
  return {
    endpoint,
    body,
    scan,
    model,
    streamed: streamed && endpoint !== 'embeddings',
    wantsUsageChunk: readWantsUsage(scan),
    outputTokensMax,
    choices: (choices ?? 1) * Math.max(1, prompts),
    mediaParts: countMediaParts(endpoint, scan),
  };
}

function refuseJson(refusal: JsonRefusal): Denial {
  const key = refusal.key === undefined ? '' : ` (key '${refusal.key}')`;
  return new Denial('invalid_request', {
    message: `The body is not an acceptable JSON object: ${refusal.reason.replaceAll('_', ' ')} at byte ${refusal.offset}${key}.`,
    reason: refusal.reason,
  });
}

function readModel(scan: JsonObjectScan): string | Denial {
  const span = scan.field('model');
  const model = span?.kind === 'string' ? scan.readString(span) : '';
  return MODEL_NAME.test(model)
    ? model
    : invalid('model', 'must be a name of 1 to 256 characters, none of them invisible');
}

function readFlag(scan: JsonObjectScan, name: string): boolean | Denial {
  const kind = scan.field(name)?.kind ?? 'null';
  if (kind !== 'true' && kind !== 'false' && kind !== 'null') return invalid(name, 'must be true or false');
  return kind === 'true';
}

function readWantsUsage(scan: JsonObjectScan): boolean {
  const options = scan.field('stream_options');
  if (options?.kind !== 'object') return false;
  return scan.fieldsOf(options).field('include_usage')?.kind === 'true';
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

function invalid(param: string, problem: string): Denial {
  return new Denial('invalid_request', { param, message: `'${param}' ${problem}.` });
}
