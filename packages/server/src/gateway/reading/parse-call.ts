/** Reads of a request body what deciding about the call needs, and refuses what is malformed or dangerous. */
import type { DataPermission } from '@keyfold/protocol';
import { Denial } from '../../kernel/denial.ts';
import { JsonRefusal, type JsonObjectScan, scanJsonObject } from '../../kernel/json-scan.ts';
import { DIALECTS, type Endpoint, MODERATION_MODEL } from '../../providers/provider.ts';
import { countMediaParts, countPrompts } from './count-inputs.ts';
import { findFolded } from './folded-fields.ts';
import { readMediaOutput } from './media-output.ts';
import { checkModelName } from './model-name.ts';
import { isForm, parseForm } from './parse-form.ts';
import { countPromptedTools } from './prompted-tools.ts';
import type { ParsedCall } from './parsed-call.ts';
import { invalid, readGeneration } from './read-generation.ts';
import { findUnpriced } from './unpriced.ts';

export const ENDPOINT_PERMISSIONS: Readonly<Record<Endpoint, DataPermission>> = {
  'chat.completions': 'chat',
  completions: 'completions',
  embeddings: 'embeddings',
  responses: 'chat',
  'images.generations': 'images',
  'audio.speech': 'audio',
  'audio.transcriptions': 'audio',
  'audio.translations': 'audio',
  moderations: 'moderations',
  messages: 'chat',
  'messages.count_tokens': 'chat',
  generateContent: 'chat',
  streamGenerateContent: 'chat',
  countTokens: 'chat',
  embedContent: 'embeddings',
  batchEmbedContents: 'embeddings',
};

const NEVER_STREAMED: ReadonlySet<Endpoint> = new Set<Endpoint>([
  'embeddings',
  'moderations',
  'messages.count_tokens',
  'countTokens',
  'embedContent',
  'batchEmbedContents',
]);
const PROMPTS_MAX = 1_000;

/** What a path says of a call before its body is read. */
export interface CallPath {
  readonly endpoint: Endpoint;
  /** Where the dialect names the model in the path. */
  readonly model: string | undefined;
}

export function parseCall(
  path: CallPath,
  sent: { readonly body: Buffer; readonly query: string; readonly contentType?: string | undefined },
): ParsedCall | Denial {
  const { endpoint } = path;
  const { body, contentType } = sent;
  if (isForm(endpoint)) return parseForm(endpoint, { body, contentType });
  const scan = scanJsonObject(body);
  if (scan instanceof JsonRefusal) return refuseJson(scan);
  const folded = DIALECTS[endpoint] === 'openai' ? findFolded(scan) : undefined;
  if (folded !== undefined) return folded;
  const model = readModel(scan, { inPath: path.model, byDefault: DEFAULT_MODELS[endpoint] });
  if (model instanceof Denial) return model;
  const streamed = readStreamed(scan, path, sent.query);
  if (streamed instanceof Denial) return streamed;
  const unpriced = findUnpriced(endpoint, scan);
  if (unpriced !== undefined) return unpriced;
  const generation = readGeneration(endpoint, scan);
  if (generation instanceof Denial) return generation;
  const prompts = endpoint === 'completions' ? countPrompts(scan) : 1;
  if (prompts > PROMPTS_MAX) return invalid('prompt', `may be a list of at most ${PROMPTS_MAX} prompts`);
  return {
    endpoint,
    body,
    scan,
    model,
    streamed: streamed && !NEVER_STREAMED.has(endpoint),
    wantsUsageChunk: readWantsUsage(scan),
    outputTokensMax: generation.outputTokensMax,
    choices: generation.choices * Math.max(1, prompts),
    tokensBeside: generation.tokensBeside,
    promptedTools: countPromptedTools(endpoint, scan),
    ...countMediaParts(endpoint, scan),
    mediaOutput: readMediaOutput(endpoint, scan),
  };
}

function refuseJson(refusal: JsonRefusal): Denial {
  const key = refusal.key === undefined ? '' : ` (key '${refusal.key}')`;
  return new Denial('invalid_request', {
    message: `The body is not an acceptable JSON object: ${refusal.reason.replaceAll('_', ' ')} at byte ${refusal.offset}${key}.`,
    reason: refusal.reason,
  });
}

/** What is asked where the body names no model, which OpenAI lets its clients do. */
const DEFAULT_MODELS: Readonly<Partial<Record<Endpoint, string>>> = { moderations: MODERATION_MODEL };

function readModel(
  scan: JsonObjectScan,
  of: { readonly inPath: string | undefined; readonly byDefault: string | undefined },
): string | Denial {
  const span = scan.field('model');
  const inBody = span?.kind === 'string' ? scan.readString(span) : undefined;
  const isUnsaid = span === undefined || span.kind === 'null';
  const model = of.inPath ?? inBody ?? (isUnsaid ? of.byDefault : undefined) ?? '';
  return checkModelName(model);
}

function readFlag(scan: JsonObjectScan, name: string): boolean | Denial {
  const kind = scan.field(name)?.kind ?? 'null';
  if (kind !== 'true' && kind !== 'false' && kind !== 'null') return invalid(name, 'must be true or false');
  return kind === 'true';
}

/** What is no text is left for the server to refuse. */
function readWord(scan: JsonObjectScan, name: string): string | undefined {
  const span = scan.field(name);
  return span?.kind === 'string' ? scan.readString(span) : undefined;
}

function readWantsUsage(scan: JsonObjectScan): boolean {
  const options = scan.field('stream_options');
  if (options?.kind !== 'object') return false;
  return scan.fieldsOf(options).field('include_usage')?.kind === 'true';
}

/** Gemini's clients stream by the path, and as events only where they ask for them. */
function readStreamed(scan: JsonObjectScan, { endpoint }: CallPath, query: string): boolean | Denial {
  if (endpoint === 'audio.speech') return readWord(scan, 'stream_format') === 'sse';
  if (DIALECTS[endpoint] !== 'gemini') return readFlag(scan, 'stream');
  if (endpoint !== 'streamGenerateContent') return false;
  return (
    query.split('&').includes('alt=sse') || invalid('alt', "must be 'sse': streams are server-sent events")
  );
}
