/** Responsible for what a request to Anthropic sets besides its conversation and its tools. */
import type { ChatRequest, OutputFormat, Settings, ToolChoice } from '../chat.ts';
import type { Reading } from '../reading.ts';
import type { Target } from './generations.ts';
import { USER_ID_MAX } from './read-settings.ts';
import { writeReasoning } from './write-reasoning.ts';

export function writeSettings(chat: ChatRequest, target: Target): object {
  const { settings } = chat;
  refuseUnknown(chat, target.reading);
  const { thinking, effort } = writeReasoning(chat, target);
  refuseSampling(chat, target, thinking !== undefined && thinking.type !== 'disabled');
  const format = writeFormat(chat, target.reading);
  return {
    max_tokens: settings.outputTokensMax,
    temperature: settings.temperature,
    top_p: settings.topP,
    top_k: settings.topK,
    stop_sequences: writeStop(chat, target.reading),
    metadata: settings.userId === undefined ? undefined : { user_id: settings.userId },
    thinking,
    output_config: format === undefined && effort === undefined ? undefined : { effort, format },
    tool_choice: writeToolChoice(chat, target, thinking?.type === 'enabled'),
  };
}

/** A penalty of 0 is none, and one choice is what Anthropic gives. */
function refuseUnknown({ settings, names }: ChatRequest, reading: Reading): void {
  const { frequencyPenalty = 0, presencePenalty = 0, seed, choices = 1, logprobs, userId = '' } = settings;
  if (frequencyPenalty !== 0) reading.unsupported(names.frequencyPenalty);
  if (presencePenalty !== 0) reading.unsupported(names.presencePenalty);
  if (seed !== undefined) reading.unsupported(names.seed);
  if (choices !== 1) reading.unsupported(names.choices, 'must be 1 at the provider of this model');
  if (logprobs !== undefined) reading.unsupported(names.logprobs);
  if (userId.length > USER_ID_MAX) {
    reading.unsupported(
      names.userId,
      `must be at most ${USER_ID_MAX} characters long at the provider of this model`,
    );
  }
}

/** Newer models sample in one way alone, and older ones while they think ("Limits and feature compatibility"). */
function refuseSampling(chat: ChatRequest, { reading, refusals }: Target, isThinking: boolean): void {
  const { settings, names } = chat;
  const { temperature = 1, topP = 1, topK } = settings;
  const topPMin = refusals.sampling ? 1 : isThinking ? TOP_P_MIN_THINKING : 0;
  const isFixed = refusals.sampling || isThinking;
  const why = refusals.sampling
    ? 'is not supported by this model'
    : 'is not supported while this model thinks';
  if (temperature > 1)
    reading.unsupported(names.temperature, 'must be at most 1 at the provider of this model');
  if (isFixed && temperature !== 1) reading.unsupported(names.temperature, why);
  if (topP < topPMin) reading.unsupported(names.topP, why);
  if (isFixed && topK !== undefined) reading.unsupported(names.topK, why);
  if (refusals.temperatureWithTopP && settings.temperature !== undefined && settings.topP !== undefined) {
    reading.unsupported(names.topP, `cannot be set beside '${names.temperature}' for this model`);
  }
}

function writeStop({ settings, names }: ChatRequest, reading: Reading): Settings['stop'] {
  if (settings.stop?.some((sequence) => sequence.trim() === '') === true) {
    reading.unsupported(names.stop, 'has a blank sequence, which the provider of this model does not take');
  }
  return settings.stop;
}

/** Its name is a label that the model does not see at Anthropic; a description it would see, and cannot. */
function writeFormat({ settings, names }: ChatRequest, reading: Reading): object | undefined {
  const output: OutputFormat | undefined = settings.output;
  if (output === undefined) return undefined;
  if (output.kind === 'json') {
    return reading.unsupported(names.output, 'needs a JSON Schema at the provider of this model');
  }
  if (output.description !== undefined) {
    reading.unsupported(
      names.output,
      'has a description, which has no equivalent at the provider of this model',
    );
  }
  return { type: 'json_schema', schema: output.schema };
}

/** Where there are no tools, none is called, and nothing is left to say. */
function writeToolChoice(chat: ChatRequest, target: Target, isBudgeted: boolean): object | undefined {
  const { toolChoice, isParallelToolUseAllowed: isParallel } = chat.settings;
  const choice: ToolChoice = toolChoice ?? { kind: 'auto' };
  const isForced = choice.kind === 'required' || choice.kind === 'named';
  if (isForced) refuseForcing(chat, target, isBudgeted);
  if (chat.tools.length === 0 || (toolChoice === undefined && isParallel === undefined)) return undefined;
  const parallel = isParallel === undefined ? {} : { disable_parallel_tool_use: !isParallel };
  switch (choice.kind) {
    case 'none':
      return { type: 'none' };
    case 'auto':
      return { type: 'auto', ...parallel };
    case 'required':
      return { type: 'any', ...parallel };
    case 'named':
      return { type: 'tool', name: choice.names[0], ...parallel };
  }
}

function refuseForcing({ settings, names, tools }: ChatRequest, target: Target, isBudgeted: boolean): void {
  const { reading, refusals } = target;
  const { toolChoice } = settings;
  if (tools.length === 0) reading.invalid(names.toolChoice, 'needs a tool to choose');
  if (toolChoice?.kind === 'named' && toolChoice.names.length !== 1) {
    reading.unsupported(names.toolChoice, 'must name one tool at the provider of this model');
  }
  if (refusals.forcedTools) reading.unsupported(names.toolChoice, 'cannot force a tool call with this model');
  if (isBudgeted) {
    reading.unsupported(names.toolChoice, `cannot force a tool call beside a budget in '${names.reasoning}'`);
  }
}

const TOP_P_MIN_THINKING = 0.95;
