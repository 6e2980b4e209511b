/** The classes of tokens as the ledger keeps and reports them: in its rows, its sums, its records and the metrics. */
import type { Usage } from '../pricing/model-price.ts';
import { TOKEN_COLUMNS } from '../storage/money-schema.ts';

/** Names of columns, and of fields of the API. What was used of a class that is not here is counted with its parent. */
export const TOKEN_CLASSES = TOKEN_COLUMNS;

export type TokenClass = (typeof TOKEN_CLASSES)[number];

/** One count for every class. */
export type TokenCounts<Count> = Readonly<Record<TokenClass, Count>>;

export function countTokens(usage: Usage): TokenCounts<number> {
  return {
    input_tokens: usage.inputTokens,
    cached_input_tokens: usage.cachedInputTokens + (usage.cachedAudioInputTokens ?? 0),
    cache_write_tokens: usage.cacheWriteTokens + (usage.longCacheWriteTokens ?? 0),
    audio_input_tokens: usage.audioInputTokens ?? 0,
    image_input_tokens: usage.imageInputTokens ?? 0,
    output_tokens: usage.outputTokens,
    reasoning_tokens: usage.reasoningTokens,
    audio_output_tokens: usage.audioOutputTokens ?? 0,
    image_output_tokens: usage.imageOutputTokens ?? 0,
  };
}

/** The same with another count of each class. */
export function mapTokens<Count>(count: (each: TokenClass) => Count): TokenCounts<Count> {
  const counts: Partial<Record<TokenClass, Count>> = {};
  for (const each of TOKEN_CLASSES) counts[each] = count(each);
  return counts as TokenCounts<Count>;
}
