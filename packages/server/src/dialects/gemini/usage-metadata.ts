/**
 * Responsible for writing usage as Gemini's `usageMetadata`, in which the prompt counts what was cached too, and thoughts
 * stand beside the candidates. What was written to a cache is prompt like any other to it.
 */
import type { JsonObject } from '../chat.ts';
import type { ReportedUsage } from '../../providers/provider.ts';
import { foldMedia } from '../fold-media.ts';

export function writeUsage(usage: ReportedUsage): JsonObject {
  const { input, cached, written, longWritten, output, reasoning } = foldMedia(usage);
  const promptTokenCount = input + cached + written + longWritten;
  return {
    promptTokenCount,
    candidatesTokenCount: output,
    totalTokenCount: promptTokenCount + output + reasoning,
    ...(cached === 0 ? {} : { cachedContentTokenCount: cached }),
    ...(reasoning === 0 ? {} : { thoughtsTokenCount: reasoning }),
  };
}
