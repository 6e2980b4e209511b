/**
 * Responsible for the request to an OpenAI-compatible server. It is written in the plainest form, which OpenAI takes as
 * well as the servers that only resemble it; what chat completions cannot say is refused by the client's own name for it.
 */
import type { Denial } from '../../kernel/denial.ts';
import type { ChatRequest, Setting, Tool, ToolChoice } from '../chat.ts';
import { Reading } from '../reading.ts';
import { given } from './given.ts';
import { CHOICES_MAX, PENALTY, STOPS_MAX, TEMPERATURE, TOP_LOGPROBS_MAX, TOP_P } from './limits.ts';
import { NAME_PATTERN, NAME_REFUSAL } from './read-schema.ts';
import { writeMessages } from './write-messages.ts';

export function writeRequest(chat: ChatRequest, upstreamModel: string): Buffer | Denial {
  const reading = new Reading();
  const body = {
    model: upstreamModel,
    messages: writeMessages(chat, reading),
    ...writeTools(chat, reading),
    ...writeSettings(chat, reading),
    ...(chat.streamed ? { stream: true, stream_options: { include_usage: true } } : {}),
  };
  return reading.refusal ?? Buffer.from(JSON.stringify(body));
}

interface Range {
  readonly min: number;
  readonly max: number;
}

function writeSettings(chat: ChatRequest, reading: Reading): object {
  const { settings, names } = chat;
  const within = (name: Setting, value: number | undefined, { min, max }: Range) => {
    if (value !== undefined && (value < min || value > max)) {
      reading.unsupported(names[name], `must be from ${min} to ${max} for the provider of this model`);
    }
    return value;
  };
  if (settings.topK !== undefined) reading.unsupported(names.topK);
  within('stop', settings.stop?.length, { min: 0, max: STOPS_MAX });
  const logprobs = within('logprobs', settings.logprobs, { min: 0, max: TOP_LOGPROBS_MAX });
  return given({
    // Servers that know the older name alone are given it where the request is sent.
    max_completion_tokens: settings.outputTokensMax,
    temperature: within('temperature', settings.temperature, TEMPERATURE),
    top_p: within('topP', settings.topP, TOP_P),
    frequency_penalty: within('frequencyPenalty', settings.frequencyPenalty, PENALTY),
    presence_penalty: within('presencePenalty', settings.presencePenalty, PENALTY),
    seed: settings.seed,
    stop: settings.stop,
    n: within('choices', settings.choices, { min: 1, max: CHOICES_MAX }),
    logprobs: logprobs === undefined ? undefined : true,
    top_logprobs: logprobs === 0 ? undefined : logprobs,
    response_format: writeFormat(chat, reading),
    reasoning_effort: writeEffort(chat, reading),
    // `safety_identifier`, which replaces it, is known to OpenAI alone.
    user: settings.userId,
  });
}

function writeFormat({ settings: { output }, names }: ChatRequest, reading: Reading): object | undefined {
  if (output === undefined) return undefined;
  if (output.kind === 'json') return { type: 'json_object' };
  const { schema, name = FORMAT_NAME, description, isStrict: strict } = output;
  if (!NAME_PATTERN.test(name)) reading.unsupported(names.output, NAME_REFUSAL);
  return { type: 'json_schema', json_schema: { name, schema, ...given({ description, strict }) } };
}

/** OpenAI wants a name; other dialects have none. */
const FORMAT_NAME = 'answer';

/**
 * Reasoning models decide how much of the effort they use, as `isAdaptive` asks. No server can be told whether to show its
 * reasoning: each shows what it has (OpenAI shows none), so `isShown` has nothing to be written to.
 */
function writeEffort({ settings: { reasoning }, names }: ChatRequest, reading: Reading): string | undefined {
  if (reasoning === undefined) return undefined;
  const { effort, tokensMax } = reasoning;
  if (tokensMax === undefined) return effort;
  if (tokensMax === 0 && (effort === undefined || effort === 'none')) return 'none';
  return reading.unsupported(
    names.reasoning,
    'has a limit on reasoning tokens: this model takes an effort only',
  );
}

function writeTools({ tools, settings, names }: ChatRequest, reading: Reading): object {
  const { toolChoice, isParallelToolUseAllowed } = settings;
  if (tools.length === 0) {
    // Without tools no call is what happens anyway.
    const isVacuous = toolChoice === undefined || toolChoice.kind === 'auto' || toolChoice.kind === 'none';
    if (!isVacuous) reading.unsupported(names.toolChoice, 'needs tools');
    return {};
  }
  return {
    tools: tools.map((tool) => writeTool(tool, reading)),
    ...given({
      tool_choice: toolChoice === undefined ? undefined : writeChoice(toolChoice),
      parallel_tool_calls: isParallelToolUseAllowed,
    }),
  };
}

function writeTool({ at, name, description, schema, isStrict }: Tool, reading: Reading): object {
  if (!NAME_PATTERN.test(name)) reading.unsupported(at, NAME_REFUSAL);
  const described = given({ description, parameters: schema, strict: isStrict });
  return { type: 'function', function: { name, ...described } };
}

function writeChoice(choice: ToolChoice): string | object {
  if (choice.kind !== 'named') return choice.kind;
  const tools = choice.names.map((name) => ({ type: 'function', function: { name } }));
  const [only] = tools;
  // Several names are OpenAI's alone: a compatible server refuses them itself.
  return tools.length === 1 && only !== undefined
    ? only
    : { type: 'allowed_tools', allowed_tools: { mode: 'required', tools } };
}
