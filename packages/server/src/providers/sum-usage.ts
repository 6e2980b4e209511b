/** Responsible for the sums over disjoint classes of tokens: what went into a model, what came out of it. */
import type { ReportedUsage } from './provider.ts';

export function sumInput(usage: ReportedUsage): number {
  return sumInputText(usage) + sumInputMedia(usage);
}

/** What the model wrote for the reader and what it thought. */
export function sumOutput(usage: ReportedUsage): number {
  const { outputTokens, reasoningTokens, audioOutputTokens = 0, imageOutputTokens = 0 } = usage;
  return outputTokens + reasoningTokens + audioOutputTokens + imageOutputTokens;
}

function sumInputText(usage: ReportedUsage): number {
  const { inputTokens, cachedInputTokens, cacheWriteTokens, longCacheWriteTokens = 0 } = usage;
  return inputTokens + cachedInputTokens + cacheWriteTokens + longCacheWriteTokens;
}

function sumInputMedia(usage: ReportedUsage): number {
  const { audioInputTokens = 0, cachedAudioInputTokens = 0, imageInputTokens = 0 } = usage;
  return audioInputTokens + cachedAudioInputTokens + imageInputTokens;
}
