/**
 * Responsible for the settings of a Gemini request: `generationConfig` and `toolConfig`. The ranges are those of the API's
 * definition (`GenerationConfig` in googleapis/google/ai/generativelanguage/v1beta).
 */
import type { Effort, OutputFormat, Reasoning, Setting, Settings, ToolChoice } from '../chat.ts';
import type { ObjectReader, Reading } from '../reading.ts';
import { presentFields } from './present-fields.ts';
import { readSchema } from './read-schema.ts';

/** Of the last two Gemini has no setting, so that nothing ever refuses them by these names. */
export const SETTING_NAMES: Readonly<Record<Setting, string>> = {
  outputTokensMax: 'generationConfig.maxOutputTokens',
  temperature: 'generationConfig.temperature',
  topP: 'generationConfig.topP',
  topK: 'generationConfig.topK',
  frequencyPenalty: 'generationConfig.frequencyPenalty',
  presencePenalty: 'generationConfig.presencePenalty',
  seed: 'generationConfig.seed',
  stop: 'generationConfig.stopSequences',
  choices: 'generationConfig.candidateCount',
  logprobs: 'generationConfig.responseLogprobs',
  output: 'generationConfig.responseMimeType',
  reasoning: 'generationConfig.thinkingConfig',
  toolChoice: 'toolConfig.functionCallingConfig',
  isParallelToolUseAllowed: 'toolConfig',
  userId: 'labels',
};

export const STOP_SEQUENCES_MAX = 5;
export const CHOICES_MAX = 8;
export const LOGPROBS_MAX = 20;
export const INT32_MAX = 2 ** 31 - 1;
export const INT32_MIN = -(2 ** 31);

export function readGenerationConfig(body: ObjectReader, reading: Reading): Settings {
  const config = body.object('generationConfig');
  if (config === undefined) return {};
  const settings = presentFields<Settings>({
    outputTokensMax: config.integer('maxOutputTokens', { min: 1, max: INT32_MAX }),
    temperature: config.number('temperature', { min: 0, max: 2 }),
    topP: config.number('topP', { min: 0, max: 1 }),
    topK: config.integer('topK', { min: 1, max: INT32_MAX }),
    frequencyPenalty: config.number('frequencyPenalty', { min: -2, max: 2 }),
    presencePenalty: config.number('presencePenalty', { min: -2, max: 2 }),
    seed: config.integer('seed', { min: INT32_MIN, max: INT32_MAX }),
    choices: config.integer('candidateCount', { min: 1, max: CHOICES_MAX }),
    stop: readStop(config),
    logprobs: readLogprobs(config),
    output: readOutput(config, reading),
    reasoning: readThinking(config),
  });
  for (const modality of config.texts('responseModalities')) {
    if (modality.toUpperCase() !== 'TEXT') config.unsupported('responseModalities');
  }
  config.expect('enableEnhancedCivicAnswers', false);
  config.done();
  return settings;
}

/** What `toolConfig` says: the choice, and whether every call must follow its schema. */
export function readToolConfig(body: ObjectReader): {
  readonly toolChoice?: ToolChoice;
  readonly isValidated: boolean;
} {
  const tools = body.object('toolConfig');
  const config = tools?.object('functionCallingConfig');
  tools?.expect('includeServerSideToolInvocations', false);
  tools?.done();
  if (config === undefined) return { isValidated: false };
  // Google's own samples write it in small letters, too.
  const written = config.text('mode')?.toUpperCase() ?? 'AUTO';
  const mode = MODES.find((each) => each === written);
  const names = config.texts('allowedFunctionNames');
  config.expect('streamFunctionCallArguments', false);
  config.done();
  if (mode === undefined) config.invalid('mode', `must be one of ${MODES.join(', ')}`);
  if (names.length > 0) {
    if (mode === 'ANY') return { toolChoice: { kind: 'named', names }, isValidated: false };
    config.unsupported('allowedFunctionNames', "is understood with the mode 'ANY' alone");
  }
  if (mode === 'ANY') return { toolChoice: { kind: 'required' }, isValidated: false };
  if (mode === 'NONE') return { toolChoice: { kind: 'none' }, isValidated: false };
  return { toolChoice: { kind: 'auto' }, isValidated: mode === 'VALIDATED' };
}

function readStop(config: ObjectReader): readonly string[] | undefined {
  const sequences = config.texts('stopSequences');
  if (sequences.length > STOP_SEQUENCES_MAX) {
    config.invalid('stopSequences', `must have at most ${STOP_SEQUENCES_MAX} items`);
  }
  return sequences.length === 0 ? undefined : sequences;
}

function readLogprobs(config: ObjectReader): number | undefined {
  const isWanted = config.flag('responseLogprobs') ?? false;
  const alternatives = config.integer('logprobs', { min: 0, max: LOGPROBS_MAX });
  if (!isWanted && alternatives !== undefined) config.invalid('logprobs', "needs 'responseLogprobs'");
  return isWanted ? (alternatives ?? 0) : undefined;
}

function readOutput(config: ObjectReader, reading: Reading): OutputFormat | undefined {
  const mediaType = config.choice('responseMimeType', ['text/plain', 'application/json']);
  const schema = readSchema(config, ['responseSchema', 'responseJsonSchema'], reading);
  if (mediaType === 'application/json')
    return schema === undefined ? { kind: 'json' } : { kind: 'schema', schema };
  if (schema !== undefined) config.invalid('responseMimeType', "must be 'application/json' with a schema");
  return undefined;
}

function readThinking(config: ObjectReader): Reasoning | undefined {
  const thinking = config.object('thinkingConfig');
  if (thinking === undefined) return undefined;
  const budget = thinking.integer('thinkingBudget', { min: DYNAMIC, max: INT32_MAX });
  const level = thinking.text('thinkingLevel')?.toLowerCase();
  const effort = LEVELS.find((each) => each === level);
  const isShown = thinking.flag('includeThoughts');
  thinking.done();
  if (level !== undefined && effort === undefined) {
    thinking.invalid('thinkingLevel', `must be one of ${LEVELS.join(', ').toUpperCase()}`);
  }
  if (level !== undefined && budget !== undefined) {
    thinking.invalid('thinkingLevel', "cannot be given together with 'thinkingBudget'");
  }
  return presentFields<Reasoning>({
    effort,
    tokensMax: budget === DYNAMIC ? undefined : budget,
    isAdaptive: budget === DYNAMIC ? true : undefined,
    isShown,
  });
}

/** The budget that leaves it to the model. */
export const DYNAMIC = -1;
const MODES = ['AUTO', 'ANY', 'NONE', 'VALIDATED'] as const;
const LEVELS: readonly Effort[] = ['minimal', 'low', 'medium', 'high'];
