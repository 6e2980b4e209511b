/**
 * Responsible for how much a Gemini model reasons. Models up to 2.5 take a budget of tokens, later ones a level; an effort
 * becomes what Google itself makes of it for clients of OpenAI's (ai.google.dev/gemini-api/docs/openai, "Thinking").
 */
import type { Effort, JsonObject, Reasoning } from '../chat.ts';
import type { Reading } from '../reading.ts';
import { presentFields } from './present-fields.ts';
import { DYNAMIC, INT32_MAX } from './read-settings.ts';

/** How the reasoning of a model is set. */
export type ThinkingControl = 'none' | 'budget' | 'level';

/** By its name. One that no pattern knows is newer than this code. */
export function thinkingControlOf(model: string): ThinkingControl {
  if (/^(?:models\/)?gemini-(?:1|2\.0)\b/.test(model)) return 'none';
  return /^(?:models\/)?gemini-2\.5\b/.test(model) ? 'budget' : 'level';
}

export interface ThinkingRequest {
  readonly reasoning: Reasoning;
  readonly model: string;
  /** The client's name of the setting. */
  readonly name: string;
  readonly reading: Reading;
}

/** The `thinkingConfig`; `undefined` where there is nothing to say, or it was refused. */
export function writeThinking(request: ThinkingRequest): JsonObject | undefined {
  const { reasoning, model, name, reading } = request;
  const control = thinkingControlOf(model);
  const isOff = reasoning.effort === 'none' || reasoning.tokensMax === 0;
  if (control === 'none') {
    return isOff || asksForNothing(reasoning)
      ? undefined
      : reading.unsupported(name, 'is not known to this model');
  }
  if (isOff && (control === 'level' || isPro(model))) {
    return reading.unsupported(name, 'asks for no reasoning, which cannot be turned off for this model');
  }
  const config = presentFields<{
    includeThoughts?: boolean;
    thinkingBudget?: number;
    thinkingLevel?: string;
  }>({
    includeThoughts: reasoning.isShown,
    thinkingBudget: isOff ? 0 : writeBudget(request, control),
    thinkingLevel: control === 'level' ? writeLevel(request) : undefined,
  });
  return Object.keys(config).length === 0 ? undefined : { ...config };
}

/** A later model takes a budget as well, but not beside a level. */
function writeBudget(
  { reasoning, name, reading }: ThinkingRequest,
  control: ThinkingControl,
): number | undefined {
  const { effort, tokensMax, isAdaptive } = reasoning;
  if (tokensMax !== undefined) {
    if (effort !== undefined)
      return reading.unsupported(name, 'gives both an effort and a budget, of which Gemini takes one');
    return tokensMax <= INT32_MAX ? tokensMax : reading.unsupported(name, `has a budget above ${INT32_MAX}`);
  }
  // A later model decides by itself unless it is told otherwise.
  if (control === 'level') return undefined;
  if (effort === undefined) return isAdaptive === true ? DYNAMIC : undefined;
  return (
    BUDGETS[effort] ?? reading.unsupported(name, `has the effort '${effort}', which this model does not have`)
  );
}

function writeLevel({
  reasoning: { effort, tokensMax },
  model,
  name,
  reading,
}: ThinkingRequest): string | undefined {
  if (effort === undefined || tokensMax !== undefined) return undefined;
  if (effort === 'minimal' && isPro(model)) return 'LOW';
  return (
    LEVELS[effort] ?? reading.unsupported(name, `has the effort '${effort}', which this model does not have`)
  );
}

function asksForNothing({ effort, tokensMax, isAdaptive, isShown }: Reasoning): boolean {
  return effort === undefined && tokensMax === undefined && isAdaptive !== true && isShown !== true;
}

function isPro(model: string): boolean {
  return /-pro\b/.test(model);
}

const BUDGETS: Readonly<Partial<Record<Effort, number>>> = {
  minimal: 1024,
  low: 1024,
  medium: 8192,
  high: 24_576,
};
const LEVELS: Readonly<Partial<Record<Effort, string>>> = {
  minimal: 'MINIMAL',
  low: 'LOW',
  medium: 'MEDIUM',
  high: 'HIGH',
};
