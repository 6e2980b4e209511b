/** The ranges that OpenAI's reference gives for the fields of a request. */
import type { Effort } from '../chat.ts';

export const CHOICES_MAX = 128;
export const STOPS_MAX = 4;
export const TOP_LOGPROBS_MAX = 20;
export const EFFORTS: readonly Effort[] = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'];
export const TEMPERATURE = { min: 0, max: 2 } as const;
export const TOP_P = { min: 0, max: 1 } as const;
export const PENALTY = { min: -2, max: 2 } as const;
export const SEED = { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER } as const;
export const OUTPUT_TOKENS = { min: 1, max: Number.MAX_SAFE_INTEGER } as const;
