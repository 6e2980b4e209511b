/**
 * Responsible for reading DeepSeek's `usage`: what its cache had and what it had not make up the prompt ("Create Chat
 * Completion", api-docs.deepseek.com). All else is as every compatible server reports it.
 */
import { mapUsage as mapCompatible } from '../openai-compatible/map-usage.ts';
import type { Endpoint, UsageReading } from '../provider.ts';
import { fieldsOf, findCountProblem, readUsageField } from '../strict-usage.ts';

/** Reads the usage of a complete body that was not streamed; empty lines may come before it. */
export function readBodyUsage(endpoint: Endpoint, body: Buffer): UsageReading {
  return readUsageField(body, 'usage', (usage) => mapUsage(endpoint, usage));
}

/** Reads a parsed `usage` value. */
export function mapUsage(endpoint: Endpoint, usage: unknown): UsageReading {
  const fields = fieldsOf(usage);
  const hits = fields?.[HITS] ?? undefined;
  const misses = fields?.[MISSES] ?? undefined;
  if (fields === undefined || (hits === undefined && misses === undefined))
    return mapCompatible(endpoint, usage);
  const problem = findCountProblem({ hits, misses });
  if (problem !== undefined) return { problem };
  const details = fieldsOf(fields['prompt_tokens_details'] ?? {});
  if (details === undefined || (details['cached_tokens'] ?? hits) !== hits) return { problem: 'malformed' };
  const cached = { ...details, cached_tokens: hits };
  const reading = mapCompatible(endpoint, { ...fields, prompt_tokens_details: cached });
  const isWhole = Number(hits) + Number(misses) === fields['prompt_tokens'];
  return 'problem' in reading || isWhole ? reading : { problem: 'malformed' };
}

const HITS = 'prompt_cache_hit_tokens';
const MISSES = 'prompt_cache_miss_tokens';
