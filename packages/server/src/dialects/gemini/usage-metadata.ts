/**
 * Responsible for writing usage as Gemini's `usageMetadata`, in which the prompt counts what was cached too, and thoughts
 * stand beside the candidates. What was written to a cache is prompt like any other to it.
 */
import type { JsonObject } from '../chat.ts';
import type { ReportedUsage } from '../../providers/provider.ts';

export function writeUsage(usage: ReportedUsage): JsonObject {
  const { inputTokens, cachedInputTokens, outputTokens, reasoningTokens } = usage;
  const written = usage.cacheWriteTokens + (usage.longCacheWriteTokens ?? 0);
  const promptTokenCount = inputTokens + cachedInputTokens + written;
  return {
    promptTokenCount,
    candidatesTokenCount: outputTokens,
    totalTokenCount: promptTokenCount + outputTokens + reasoningTokens,
    ...(cachedInputTokens === 0 ? {} : { cachedContentTokenCount: cachedInputTokens }),
    ...(reasoningTokens === 0 ? {} : { thoughtsTokenCount: reasoningTokens }),
  };
}
