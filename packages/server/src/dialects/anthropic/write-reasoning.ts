/**
 * Responsible for saying to Anthropic how much a model shall reason. A budget stays the budget that the client set, and
 * an effort the effort; which of them a model takes depends on its generation.
 */
import type { ChatRequest, Effort, Reasoning } from '../chat.ts';
import type { Target } from './generations.ts';
import { BUDGET_MIN } from './read-settings.ts';

export interface Thinking {
  readonly type: 'enabled' | 'adaptive' | 'disabled';
  readonly budget_tokens?: number;
  readonly display?: 'summarized' | 'omitted' | undefined;
}

export interface WrittenReasoning {
  readonly thinking?: Thinking;
  readonly effort?: Effort;
}

export function writeReasoning(chat: ChatRequest, target: Target): WrittenReasoning {
  const { reasoning = {} } = chat.settings;
  const { effort, tokensMax } = reasoning;
  if (effort === 'none' || tokensMax === 0) return writeNone(chat, target);
  if (tokensMax !== undefined) return writeBudget(chat, tokensMax, target);
  if (effort !== undefined || reasoning.isAdaptive === true || reasoning.isShown === true) {
    return writeAdaptive(chat, target);
  }
  // Not to be shown: no model shows it unasked.
  return {};
}

function writeNone({ settings, names }: ChatRequest, { reading, refusals }: Target): WrittenReasoning {
  const { effort = 'none', tokensMax = 0, isAdaptive = false } = settings.reasoning ?? {};
  if (effort !== 'none' || tokensMax !== 0 || isAdaptive)
    reading.invalid(names.reasoning, 'contradicts itself');
  if (refusals.disabled) reading.unsupported(names.reasoning, 'cannot be turned off in this model');
  return { thinking: { type: 'disabled' } };
}

function writeBudget(chat: ChatRequest, budget: number, { reading, refusals }: Target): WrittenReasoning {
  const { settings, names } = chat;
  const { isAdaptive = false, isShown } = settings.reasoning ?? {};
  if (isAdaptive) reading.invalid(names.reasoning, 'contradicts itself');
  if (refusals.budget) reading.unsupported(names.reasoning, 'cannot be a number of tokens in this model');
  if (budget < BUDGET_MIN) {
    reading.unsupported(
      names.reasoning,
      `must be at least ${BUDGET_MIN} tokens at the provider of this model`,
    );
  }
  if (budget >= (settings.outputTokensMax ?? Infinity)) {
    const limit = names.outputTokensMax;
    reading.unsupported(names.reasoning, `must be less than '${limit}' at the provider of this model`);
  }
  return {
    thinking: { type: 'enabled', budget_tokens: budget, display: displayOf(isShown) },
    ...writeEffort(chat, { reading, refusals }),
  };
}

/** Some models think of themselves, and those that do not are told to: an effort alone would not make them. */
function writeAdaptive(chat: ChatRequest, target: Target): WrittenReasoning {
  const { settings, names } = chat;
  if (target.refusals.adaptive) {
    target.reading.unsupported(names.reasoning, 'must be a number of tokens in this model');
  }
  return {
    thinking: { type: 'adaptive', display: displayOf(settings.reasoning?.isShown) },
    ...writeEffort(chat, target),
  };
}

function writeEffort({ settings, names }: ChatRequest, { reading, refusals }: Target): WrittenReasoning {
  const { effort } = settings.reasoning ?? {};
  if (effort === undefined) return {};
  if (effort === 'minimal' || refusals.efforts.includes(effort)) {
    reading.unsupported(names.reasoning, `of '${effort}' has no equivalent in this model`);
  }
  return { effort };
}

function displayOf(isShown: Reasoning['isShown']): Thinking['display'] {
  if (isShown === undefined) return undefined;
  return isShown ? 'summarized' : 'omitted';
}
