/** Reads of a request body what deciding about the call needs, and refuses what is malformed or dangerous. */
import type { DataPermission } from '@keyfold/protocol';
import { Denial } from '../kernel/denial.ts';
import { JsonRefusal, type JsonObjectScan, scanJsonObject } from '../kernel/json-scan.ts';
import type { Endpoint } from '../providers/provider.ts';

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
  /** How many answers are generated. */
  readonly choices: number;
  /** Parts, such as images, that cost more tokens than their text has bytes. */
  readonly mediaParts: number;
}

export const ENDPOINT_PERMISSIONS: Readonly<Record<Endpoint, DataPermission>> = {
  'chat.completions': 'chat',
  completions: 'completions',
  embeddings: 'embeddings',
};

const MODEL_CHARACTERS_MAX = 256;
const OUTPUT_TOKENS_MAX = 10_000_000;
const CHOICES_MAX = 128;
const MEDIA_MARKS = ['"image_url"', '"input_audio"', '"file"', '"video_url"'].map((mark) =>
  Buffer.from(mark),
);

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
    min: 0,
    max: OUTPUT_TOKENS_MAX,
  });
  if (outputTokensMax instanceof Denial) return outputTokensMax;
  const choices = readLargest(scan, ['n', 'best_of'], { min: 1, max: CHOICES_MAX });
  if (choices instanceof Denial) return choices;
  return {
    endpoint,
    body,
    scan,
    model,
    streamed: streamed && endpoint !== 'embeddings',
    wantsUsageChunk: readWantsUsage(scan),
    outputTokensMax,
    choices: choices ?? 1,
    mediaParts: countMediaParts(body),
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
  if (model === '' || model.length > MODEL_CHARACTERS_MAX) {
    return invalid('model', `must be a name of 1 to ${MODEL_CHARACTERS_MAX} characters`);
  }
  return model;
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

function countMediaParts(body: Buffer): number {
  let count = 0;
  for (const mark of MEDIA_MARKS) {
    for (let at = body.indexOf(mark); at !== -1; at = body.indexOf(mark, at + mark.length)) count++;
  }
  return count;
}

function invalid(param: string, problem: string): Denial {
  return new Denial('invalid_request', { param, message: `'${param}' ${problem}.` });
}
