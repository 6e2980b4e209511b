/**
 * Responsible for usage as clients of another vendor are told it: their shapes of a chat's usage have no classes for sound
 * and pictures, whose tokens are counted there as those of text are.
 */
import type { ReportedUsage } from '../providers/provider.ts';

export interface FoldedUsage {
  /** Neither cached nor written to a cache. */
  readonly input: number;
  readonly cached: number;
  readonly written: number;
  readonly longWritten: number;
  /** Without reasoning. */
  readonly output: number;
  readonly reasoning: number;
}

/** Every token of `usage` is in one of these classes. */
export function foldMedia(usage: ReportedUsage): FoldedUsage {
  const { audioInputTokens = 0, cachedAudioInputTokens = 0, imageInputTokens = 0 } = usage;
  const { audioOutputTokens = 0, imageOutputTokens = 0, longCacheWriteTokens = 0 } = usage;
  return {
    input: usage.inputTokens + audioInputTokens + imageInputTokens,
    cached: usage.cachedInputTokens + cachedAudioInputTokens,
    written: usage.cacheWriteTokens,
    longWritten: longCacheWriteTokens,
    output: usage.outputTokens + audioOutputTokens + imageOutputTokens,
    reasoning: usage.reasoningTokens,
  };
}
