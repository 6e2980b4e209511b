/**
 * Responsible for a client's request to OpenAI's `POST /v1/responses`, read into the neutral form. Nothing is stored
 * between requests, so whatever refers to an earlier response is refused by name, and so are the tools that run at OpenAI.
 */
import type { Denial } from '../../kernel/denial.ts';
import type { ChatRequest, OutputFormat, Reasoning, Setting, Settings, Tool } from '../chat.ts';
import type { SentChat } from '../dialect.ts';
import { parseExactJson } from '../exact-json.ts';
import { given } from '../openai/given.ts';
import { EFFORTS, OUTPUT_TOKENS, TEMPERATURE, TOP_LOGPROBS_MAX, TOP_P } from '../openai/limits.ts';
import { readSchemaFormat, readUserId } from '../openai/read-request.ts';
import { type ChoiceForm, readFunction, readToolChoice } from '../openai/read-tools.ts';
import { isObject, ObjectReader, Reading } from '../reading.ts';
import { readInput } from './read-input.ts';

export function readRequest({ scan, streamed }: SentChat): ChatRequest | Denial {
  const reading = new Reading();
  const fields = parseExactJson(scan.body.toString('utf8'));
  const body = new ObjectReader(isObject(fields) ? fields : {}, '', reading);
  const { system, turns } = readInput(body);
  const tools = readTools(body);
  const settings = readSettings(body, tools);
  refuseStored(body);
  readStreamOptions(body, streamed);
  passOver(body);
  body.done();
  return reading.refusal ?? { system, turns, tools, settings, names: nameSettings(body), streamed };
}

function readTools(body: ObjectReader): readonly Tool[] {
  return body.objects('tools').flatMap((tool) => {
    const type = tool.requiredText('type');
    if (type === 'function') return [readFunction(tool, tool.path)];
    tool.unsupported('type', 'is of a tool that runs at OpenAI, or that no other provider has');
    return [];
  });
}

/** A choice names its function itself. */
const FLAT_FORM: ChoiceForm = {
  readName: (choice) => choice.requiredText('name'),
  allowedIn: (choice) => choice,
};

function readSettings(body: ObjectReader, tools: readonly Tool[]): Settings {
  const isParallel = body.flag('parallel_tool_calls');
  return given({
    outputTokensMax: body.integer('max_output_tokens', OUTPUT_TOKENS),
    temperature: body.number('temperature', TEMPERATURE),
    topP: body.number('top_p', TOP_P),
    logprobs: readLogprobs(body),
    output: readTextFormat(body),
    reasoning: readReasoning(body),
    toolChoice: readToolChoice(body, tools, FLAT_FORM),
    // Without tools it says nothing.
    isParallelToolUseAllowed: tools.length > 0 ? isParallel : undefined,
    userId: readUserId(body),
  });
}

function readLogprobs(body: ObjectReader): number | undefined {
  const alternatives = body.integer('top_logprobs', { min: 0, max: TOP_LOGPROBS_MAX });
  let isIncluded = false;
  for (const [index, included] of body.texts('include').entries()) {
    if (included === 'message.output_text.logprobs') isIncluded = true;
    // It comes wherever a vendor signs its reasoning.
    else if (included !== 'reasoning.encrypted_content') body.unsupported(`include.${index}`);
  }
  return alternatives ?? (isIncluded ? 0 : undefined);
}

function readTextFormat(body: ObjectReader): OutputFormat | undefined {
  const text = body.object('text');
  if (text === undefined) return undefined;
  text.expect('verbosity', 'medium');
  const format = text.object('format');
  const output = format === undefined ? undefined : readFormat(format);
  format?.done();
  text.done();
  return output;
}

function readFormat(format: ObjectReader): OutputFormat | undefined {
  switch (format.requiredText('type')) {
    case 'text':
      return undefined;
    case 'json_object':
      return { kind: 'json' };
    case 'json_schema':
      return readSchemaFormat(format);
    default:
      return format.invalid('type', 'must be one of text, json_object, json_schema');
  }
}

function readReasoning(body: ObjectReader): Reasoning | undefined {
  const reasoning = body.object('reasoning');
  if (reasoning === undefined) return undefined;
  const effort = reasoning.choice('effort', EFFORTS);
  const summaries = ['summary', 'generate_summary'].map((name) => readSummary(reasoning, name));
  // Both ask for what happens to every model's reasoning by itself.
  reasoning.expect('context', 'auto');
  reasoning.expect('mode', 'standard');
  reasoning.done();
  const read = given({ effort, isShown: summaries.includes(true) ? true : undefined });
  return Object.keys(read).length === 0 ? undefined : read;
}

/** The fullest that a model shows, which is what `auto` is as well. No other vendor shortens it on request. */
function readSummary(reasoning: ObjectReader, name: string): boolean {
  const summary = reasoning.choice(name, ['auto', 'concise', 'detailed']);
  if (summary === 'concise') reasoning.unsupported(name);
  return summary !== undefined;
}

/** `store` may be left out: OpenAI stores then, and its clients do not notice until they refer to what was stored. */
function refuseStored(body: ObjectReader): void {
  for (const name of ['previous_response_id', 'conversation', 'prompt']) {
    if (body.has(name)) body.unsupported(name, 'refers to what OpenAI stores: send the whole input');
  }
  if (body.value('store') === true) body.unsupported('store', 'must be false: no response is stored');
  else body.flag('store');
  body.expect('background', false);
}

function readStreamOptions(body: ObjectReader, streamed: boolean): void {
  const options = body.object('stream_options');
  if (options === undefined) return;
  if (!streamed) body.invalid('stream_options', 'must be there only in streams');
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
  body.expect('service_tier', 'auto', 'default');
  body.expect('truncation', 'disabled');
}

function nameSettings(body: ObjectReader): Readonly<Record<Setting, string>> {
  return {
    outputTokensMax: 'max_output_tokens',
    temperature: 'temperature',
    topP: 'top_p',
    topK: 'top_k',
    frequencyPenalty: 'frequency_penalty',
    presencePenalty: 'presence_penalty',
    seed: 'seed',
    stop: 'stop',
    choices: 'n',
    logprobs: 'top_logprobs',
    output: 'text.format',
    reasoning: 'reasoning',
    toolChoice: 'tool_choice',
    isParallelToolUseAllowed: 'parallel_tool_calls',
    userId: body.has('safety_identifier') ? 'safety_identifier' : 'user',
  };
}
