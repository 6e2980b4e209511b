/**
 * Responsible for usage in Anthropic's shape: cache writes of either lifetime are one count and, apart from it, two;
 * `output_tokens` counts thinking, and what is not text is counted as text is.
 */
import type { ReportedUsage } from '../../providers/provider.ts';
import { foldMedia } from '../fold-media.ts';

/** Unknown is not zero: without usage every count is null. */
export function writeUsage(usage: ReportedUsage | undefined): object {
  return { ...NOTHING_KNOWN, ...(usage === undefined ? {} : writeCounts(usage)) };
}

/** Where a stream begins, the running totals begin: nothing was counted so far. */
export function writeUsageAtStart(): object {
  return { ...NOTHING_KNOWN, input_tokens: 0, output_tokens: 0 };
}

function writeCounts(usage: ReportedUsage): object {
  const { input, cached, written, longWritten, output, reasoning } = foldMedia(usage);
  return {
    input_tokens: input,
    cache_creation_input_tokens: written + longWritten,
    cache_read_input_tokens: cached,
    cache_creation: { ephemeral_5m_input_tokens: written, ephemeral_1h_input_tokens: longWritten },
    output_tokens: output + reasoning,
    output_tokens_details: { thinking_tokens: reasoning },
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
