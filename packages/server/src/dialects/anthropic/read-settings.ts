/** Responsible for reading what a request to Anthropic sets besides its conversation and its tools. */
import type { Effort, OutputFormat, Reasoning, Settings, ToolChoice } from '../chat.ts';
import type { ObjectReader } from '../reading.ts';
import { withoutUnset } from './fields.ts';
import { readSchema } from './read-tools.ts';

export function readSettings(body: ObjectReader): Settings {
  const outputTokensMax = readOutputLimit(body);
  const output = body.object('output_config');
  const settings = withoutUnset<Settings>({
    outputTokensMax,
    temperature: body.number('temperature', { min: 0, max: 1 }),
    topP: body.number('top_p', { min: 0, max: 1 }),
    topK: body.integer('top_k', { min: 0, max: Number.MAX_SAFE_INTEGER }),
    stop: readStop(body),
    output: output === undefined ? undefined : readFormat(output),
    reasoning: readReasoning(body, output, outputTokensMax),
    userId: readUserId(body),
    ...readToolChoice(body),
  });
  output?.done();
  return settings;
}

/** A limit of 0 fills Anthropic's cache and asks for no answer. */
function readOutputLimit(body: ObjectReader): number | undefined {
  if (body.value('max_tokens') === 0) return body.unsupported('max_tokens', 'of 0 asks for no answer');
  return body.integer('max_tokens', { min: 1, max: Number.MAX_SAFE_INTEGER });
}

function readStop(body: ObjectReader): readonly string[] | undefined {
  const sequences = body.texts('stop_sequences');
  for (const [index, sequence] of sequences.entries()) {
    if (sequence.trim() === '') body.invalid(`stop_sequences.${index}`, 'must not be blank');
  }
  return sequences.length === 0 ? undefined : sequences;
}

function readUserId(body: ObjectReader): string | undefined {
  const metadata = body.object('metadata');
  const userId = metadata?.text('user_id');
  if (userId !== undefined && userId.length > USER_ID_MAX) {
    metadata?.invalid('user_id', `must be at most ${USER_ID_MAX} characters long`);
  }
  metadata?.done();
  return userId;
}

/** Anthropic makes the model follow the schema. */
function readFormat(output: ObjectReader): OutputFormat | undefined {
  const format = output.object('format');
  if (format === undefined) return undefined;
  if (format.value('type') !== 'json_schema') format.invalid('type', 'must be json_schema');
  const schema = readSchema(format, 'schema');
  format.done();
  return { kind: 'schema', schema, isStrict: true };
}

type ToolSettings = {
  readonly toolChoice: ToolChoice | undefined;
  readonly isParallelToolUseAllowed: boolean | undefined;
};

function readToolChoice(body: ObjectReader): ToolSettings {
  const choice = body.object('tool_choice');
  if (choice === undefined) return { toolChoice: undefined, isParallelToolUseAllowed: undefined };
  const toolChoice = readChoice(choice);
  const isDisabled = choice.flag('disable_parallel_tool_use');
  choice.done();
  return { toolChoice, isParallelToolUseAllowed: isDisabled === undefined ? undefined : !isDisabled };
}

function readChoice(choice: ObjectReader): ToolChoice | undefined {
  switch (choice.requiredText('type')) {
    case 'auto':
      return { kind: 'auto' };
    case 'any':
      return { kind: 'required' };
    case 'none':
      return { kind: 'none' };
    case 'tool':
      return { kind: 'named', names: [choice.requiredText('name')] };
    default:
      return choice.invalid('type', 'must be one of auto, any, tool, none');
  }
}

/** An effort says how much adaptive thinking there is, so beside one `adaptive` says nothing more. */
function readReasoning(
  body: ObjectReader,
  output: ObjectReader | undefined,
  outputTokensMax: number | undefined,
): Reasoning | undefined {
  const effort = output?.choice('effort', EFFORTS);
  const thinking = body.object('thinking');
  if (thinking === undefined) return effort === undefined ? undefined : { effort };
  const isShown = readDisplay(thinking);
  const reasoning = readThinking(thinking, effort, outputTokensMax);
  thinking.done();
  return reasoning && withoutUnset<Reasoning>({ ...reasoning, isShown });
}

function readThinking(
  thinking: ObjectReader,
  effort: Effort | undefined,
  outputTokensMax: number | undefined,
): Reasoning | undefined {
  switch (thinking.requiredText('type')) {
    case 'adaptive':
      return effort === undefined ? { isAdaptive: true } : { effort };
    case 'enabled':
      return withoutUnset<Reasoning>({ effort, tokensMax: readBudget(thinking, outputTokensMax) });
    case 'disabled':
      // Then it is about the length of the answer, which nobody else can be told.
      if (effort !== undefined)
        thinking.unsupported('type', 'of disabled has no equivalent beside an effort');
      return { effort: 'none' };
    case 'between_tools':
      return thinking.unsupported('type');
    default:
      return thinking.invalid('type', 'must be one of enabled, disabled, adaptive');
  }
}

function readBudget(thinking: ObjectReader, outputTokensMax = Infinity): number | undefined {
  const budget = thinking.integer('budget_tokens', { min: BUDGET_MIN, max: Number.MAX_SAFE_INTEGER });
  if (!thinking.has('budget_tokens')) thinking.invalid('budget_tokens', 'must be set');
  if (budget !== undefined && budget >= outputTokensMax) {
    thinking.invalid('budget_tokens', "must be less than 'max_tokens'");
  }
  return budget;
}

function readDisplay(thinking: ObjectReader): boolean | undefined {
  const display = thinking.choice('display', ['summarized', 'omitted']);
  return display === undefined ? undefined : display === 'summarized';
}

const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'] as const;
/** The least that Anthropic lets a model think, in tokens. */
export const BUDGET_MIN = 1024;
export const USER_ID_MAX = 512;
