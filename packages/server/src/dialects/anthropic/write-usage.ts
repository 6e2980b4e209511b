/**
 * Responsible for usage in Anthropic's shape: cache writes of either lifetime are one count and, apart from it, two;
 * `output_tokens` counts thinking, and what is not text is counted as text is.
 */
import type { ReportedUsage } from '../../providers/provider.ts';

/** Unknown is not zero: without usage every count is null. */
export function writeUsage(usage: ReportedUsage | undefined): object {
  return { ...NOTHING_KNOWN, ...(usage === undefined ? {} : writeCounts(usage)) };
}

/** Where a stream begins, the running totals begin: nothing was counted so far. */
export function writeUsageAtStart(): object {
  return { ...NOTHING_KNOWN, input_tokens: 0, output_tokens: 0 };
}

function writeCounts(usage: ReportedUsage): object {
  const { cacheWriteTokens, longCacheWriteTokens = 0, reasoningTokens } = usage;
  const { audioInputTokens = 0, cachedAudioInputTokens = 0, imageInputTokens = 0 } = usage;
  const { audioOutputTokens = 0, imageOutputTokens = 0 } = usage;
  return {
    input_tokens: usage.inputTokens + audioInputTokens + imageInputTokens,
    cache_creation_input_tokens: cacheWriteTokens + longCacheWriteTokens,
    cache_read_input_tokens: usage.cachedInputTokens + cachedAudioInputTokens,
    cache_creation: {
      ephemeral_5m_input_tokens: cacheWriteTokens,
      ephemeral_1h_input_tokens: longCacheWriteTokens,
    },
    output_tokens: usage.outputTokens + reasoningTokens + audioOutputTokens + imageOutputTokens,
    output_tokens_details: { thinking_tokens: reasoningTokens },
  };
}

const NOTHING_KNOWN = {
  input_tokens: null,
  cache_creation_input_tokens: null,
  cache_read_input_tokens: null,
  cache_creation: null,
  output_tokens: null,
  output_tokens_details: null,
  server_tool_use: null,
  service_tier: null,
  inference_geo: null,
  speed: null,
};
