/**
 * Responsible for a client's request to OpenAI's `POST /v1/chat/completions`, read into the neutral form. The fields and
 * their ranges are those of OpenAI's reference; what no other vendor has is refused by name.
 */
import type { Denial } from '../../kernel/denial.ts';
import type { ChatRequest, OutputFormat, Setting, Settings, Tool } from '../chat.ts';
import type { SentChat } from '../dialect.ts';
import { parseExactJson } from '../exact-json.ts';
import { isObject, ObjectReader, Reading } from '../reading.ts';
import { given } from './given.ts';
import {
  CHOICES_MAX,
  EFFORTS,
  OUTPUT_TOKENS,
  PENALTY,
  SEED,
  STOPS_MAX,
  TEMPERATURE,
  TOP_LOGPROBS_MAX,
  TOP_P,
} from './limits.ts';
import { readMessages } from './read-messages.ts';
import { readName, readSchema } from './read-schema.ts';
import { readToolChoice, readTools } from './read-tools.ts';

export function readRequest({ scan, streamed }: SentChat): ChatRequest | Denial {
  const reading = new Reading();
  const fields = parseExactJson(scan.body.toString('utf8'));
  const body = new ObjectReader(isObject(fields) ? fields : {}, '', reading);
  const conversation = readMessages(body);
  const tools = readTools(body);
  const settings = readSettings(body, tools);
  refuseOlder(body);
  readStreamOptions(body, streamed);
  passOver(body);
  body.done();
  const { system, turns } = conversation;
  return reading.refusal ?? { system, turns, tools, settings, names: nameSettings(body), streamed };
}

function readSettings(body: ObjectReader, tools: readonly Tool[]): Settings {
  const effort = body.choice('reasoning_effort', EFFORTS);
  const isParallel = body.flag('parallel_tool_calls');
  return given({
    outputTokensMax: readOutputLimit(body),
    temperature: body.number('temperature', TEMPERATURE),
    topP: body.number('top_p', TOP_P),
    frequencyPenalty: body.number('frequency_penalty', PENALTY),
    presencePenalty: body.number('presence_penalty', PENALTY),
    seed: body.integer('seed', SEED),
    stop: readStops(body),
    choices: body.integer('n', { min: 1, max: CHOICES_MAX }),
    logprobs: readLogprobs(body),
    output: readResponseFormat(body),
    reasoning: effort === undefined ? undefined : { effort },
    toolChoice: readToolChoice(body, tools),
    // Without tools it says nothing.
    isParallelToolUseAllowed: tools.length > 0 ? isParallel : undefined,
    userId: readUserId(body),
  });
}

/** OpenAI takes either name, and refuses both together. */
function readOutputLimit(body: ObjectReader): number | undefined {
  const limit = body.integer('max_completion_tokens', OUTPUT_TOKENS);
  const older = body.integer('max_tokens', OUTPUT_TOKENS);
  if (body.has('max_completion_tokens') && body.has('max_tokens')) {
    return body.invalid('max_tokens', "must not be there together with 'max_completion_tokens'");
  }
  return limit ?? older;
}

function readStops(body: ObjectReader): readonly string[] | undefined {
  const value = body.value('stop');
  if (value === undefined) return undefined;
  const stops = typeof value === 'string' ? [value] : body.texts('stop');
  if (stops.length > STOPS_MAX) return body.invalid('stop', `must hold at most ${STOPS_MAX} sequences`);
  if (stops.includes('')) return body.invalid('stop', 'must not hold an empty sequence');
  return stops.length === 0 ? undefined : stops;
}

function readLogprobs(body: ObjectReader): number | undefined {
  const isAsked = body.flag('logprobs') ?? false;
  const alternatives = body.integer('top_logprobs', { min: 0, max: TOP_LOGPROBS_MAX });
  if (isAsked) return alternatives ?? 0;
  return alternatives === undefined ? undefined : body.invalid('top_logprobs', "needs 'logprobs'");
}

function readResponseFormat(body: ObjectReader): OutputFormat | undefined {
  const format = body.object('response_format');
  const type = format?.choice('type', ['text', 'json_object', 'json_schema']);
  if (format === undefined) return undefined;
  const described = type === 'json_schema' ? format.object('json_schema') : undefined;
  format.done();
  if (type === 'text') return undefined;
  if (type === 'json_object') return { kind: 'json' };
  if (type === undefined) return format.invalid('type', 'must be one of text, json_object, json_schema');
  if (described === undefined) return format.invalid('json_schema', 'must be an object');
  const output = readSchemaFormat(described);
  described.done();
  return output;
}

/** `name`, `description`, `schema` and `strict`, which the Responses API writes in the format itself. */
export function readSchemaFormat(described: ObjectReader): OutputFormat | undefined {
  const name = readName(described);
  const schema = readSchema(described, 'schema');
  const description = described.text('description');
  const isStrict = described.flag('strict');
  if (schema === undefined) return described.invalid('schema', 'must be an object');
  return { kind: 'schema', schema, name, ...given({ description, isStrict }) };
}

/** Either name for it, which the Responses API has as well. */
export function readUserId(body: ObjectReader): string | undefined {
  const older = body.text('user');
  const userId = body.text('safety_identifier');
  if (older !== undefined && userId !== undefined && older !== userId) {
    return body.unsupported('user', "differs from 'safety_identifier', and other providers take one name");
  }
  return userId ?? older;
}

/** What OpenAI itself has superseded. */
function refuseOlder(body: ObjectReader): void {
  if (body.has('functions')) body.unsupported('functions', "is the older form: use 'tools'");
  if (body.has('function_call')) body.unsupported('function_call', "is the older form: use 'tool_choice'");
}

function readStreamOptions(body: ObjectReader, streamed: boolean): void {
  const options = body.object('stream_options');
  if (options === undefined) return;
  if (!streamed) body.invalid('stream_options', 'must be there only in streams');
  // The gateway has read it: it decides what the encoder is told.
  options.flag('include_usage');
  options.expect('include_obfuscation', false);
  options.done();
}

function passOver(body: ObjectReader): void {
  // The gateway's own: which model it goes to, and whether it is streamed.
  body.pass('model', 'stream');
  // How OpenAI caches what it has read: other vendors cache by themselves, and no answer changes by it.
  body.pass('prompt_cache_key', 'prompt_cache_options', 'prompt_cache_retention');
  // Labels for what OpenAI stores for its dashboard; nothing is stored.
  body.pass('metadata');
  body.expect('store', false);
  body.expect('service_tier', 'auto', 'default');
  body.expect('verbosity', 'medium');
  if (body.list('modalities').some((modality) => modality !== 'text')) body.unsupported('modalities');
}

function nameSettings(body: ObjectReader): Readonly<Record<Setting, string>> {
  return {
    outputTokensMax: body.has('max_tokens') ? 'max_tokens' : 'max_completion_tokens',
    temperature: 'temperature',
    topP: 'top_p',
    topK: 'top_k',
    frequencyPenalty: 'frequency_penalty',
    presencePenalty: 'presence_penalty',
    seed: 'seed',
    stop: 'stop',
    choices: 'n',
    logprobs: 'logprobs',
    output: 'response_format',
    reasoning: 'reasoning_effort',
    toolChoice: 'tool_choice',
    isParallelToolUseAllowed: 'parallel_tool_calls',
    userId: body.has('safety_identifier') ? 'safety_identifier' : 'user',
  };
}
