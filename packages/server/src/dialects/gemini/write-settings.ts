/** Responsible for writing the settings of a chat as Gemini's `generationConfig` and `toolConfig`. */
import type { ChatRequest, JsonObject, JsonValue, OutputFormat, Setting } from '../chat.ts';
import type { Reading } from '../reading.ts';
import { presentFields } from './present-fields.ts';
import { CHOICES_MAX, INT32_MAX, INT32_MIN, LOGPROBS_MAX, STOP_SEQUENCES_MAX } from './read-settings.ts';
import { writeThinking } from './write-thinking.ts';

interface Range {
  readonly min: number;
  readonly max: number;
}

/** `undefined` where the chat sets nothing. What Gemini does not take is refused by the client's own name. */
export function writeGenerationConfig(
  chat: ChatRequest,
  model: string,
  reading: Reading,
): JsonObject | undefined {
  const { settings, names } = chat;
  for (const name of NUMBERS) checkRange(chat, name, reading);
  const { isParallelToolUseAllowed, stop = [], logprobs, output, reasoning } = settings;
  if (isParallelToolUseAllowed === false) reading.unsupported(names.isParallelToolUseAllowed);
  if (stop.length > STOP_SEQUENCES_MAX) {
    reading.unsupported(
      names.stop,
      `must have at most ${STOP_SEQUENCES_MAX} items for the provider of this model`,
    );
  }
  const config = presentFields<Record<string, JsonValue>>({
    maxOutputTokens: settings.outputTokensMax,
    temperature: settings.temperature,
    topP: settings.topP,
    topK: settings.topK,
    frequencyPenalty: settings.frequencyPenalty,
    presencePenalty: settings.presencePenalty,
    seed: settings.seed,
    stopSequences: stop.length === 0 ? undefined : stop,
    candidateCount: settings.choices,
    responseLogprobs: logprobs === undefined ? undefined : true,
    logprobs,
    responseMimeType: output === undefined ? undefined : 'application/json',
    responseJsonSchema:
      output?.kind === 'schema' ? writeOutputSchema(output, names.output, reading) : undefined,
    thinkingConfig:
      reasoning === undefined
        ? undefined
        : writeThinking({ reasoning, model, name: names.reasoning, reading }),
  });
  return Object.keys(config).length === 0 ? undefined : config;
}

/** Gemini validates the calls of all functions or of none: one that must follow its schema asks it for all. */
export function writeToolConfig({ settings: { toolChoice }, tools }: ChatRequest): JsonObject | undefined {
  const isValidated = tools.some(({ isStrict }) => isStrict === true);
  if (toolChoice === undefined || toolChoice.kind === 'auto') {
    const mode = isValidated ? 'VALIDATED' : 'AUTO';
    return toolChoice === undefined && !isValidated ? undefined : { functionCallingConfig: { mode } };
  }
  switch (toolChoice.kind) {
    case 'none':
      return { functionCallingConfig: { mode: 'NONE' } };
    case 'required':
      return { functionCallingConfig: { mode: 'ANY' } };
    case 'named':
      return { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: toolChoice.names } };
  }
}

function checkRange({ settings, names }: ChatRequest, name: keyof typeof RANGES, reading: Reading): void {
  const value = settings[name];
  const { min, max } = RANGES[name];
  if (value !== undefined && (value < min || value > max)) {
    reading.unsupported(names[name], `must be from ${min} to ${max} for the provider of this model`);
  }
}

/**
 * What Gemini writes follows the schema whether that is asked for or not. The format's name is a label that no model reads;
 * its description stands in the schema, where Gemini reads one.
 */
function writeOutputSchema(
  { schema, description }: Extract<OutputFormat, { kind: 'schema' }>,
  name: string,
  reading: Reading,
): JsonObject {
  if (description === undefined || schema['description'] === description) return schema;
  if (schema['description'] !== undefined) {
    reading.unsupported(name, 'has a description beside the one in its schema, of which Gemini takes one');
  }
  return { ...schema, description };
}

const RANGES = {
  outputTokensMax: { min: 1, max: INT32_MAX },
  temperature: { min: 0, max: 2 },
  topP: { min: 0, max: 1 },
  topK: { min: 1, max: INT32_MAX },
  frequencyPenalty: { min: -2, max: 2 },
  presencePenalty: { min: -2, max: 2 },
  seed: { min: INT32_MIN, max: INT32_MAX },
  choices: { min: 1, max: CHOICES_MAX },
  logprobs: { min: 0, max: LOGPROBS_MAX },
} as const satisfies Partial<Record<Setting, Range>>;
const NUMBERS = Object.keys(RANGES) as readonly (keyof typeof RANGES)[];
