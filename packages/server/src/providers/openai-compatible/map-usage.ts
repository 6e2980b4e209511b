/**
 * Responsible for reading OpenAI's `usage` object into disjoint classes of tokens. `prompt_tokens` counts cached and
 * cache-write tokens too, `completion_tokens` counts reasoning too. Nothing is ever repaired: a count that is not a
 * whole number of zero or more makes the whole usage a problem.
 */
import { JsonRefusal, type JsonRefusalReason, scanJsonObject } from '../../kernel/json-scan.ts';
import type { Endpoint, UsageProblem, UsageReading } from '../provider.ts';

/** Reads the usage of a complete body that was not streamed. */
export function readBodyUsage(endpoint: Endpoint, body: Buffer): UsageReading {
  const scan = scanJsonObject(body);
  if (scan instanceof JsonRefusal)
    return { problem: AMBIGUOUS.has(scan.reason) ? 'malformed' : 'unreadable' };
  const usage = scan.field('usage');
  return usage === undefined ? MISSING : mapUsage(endpoint, scan.readJson(usage));
}

/** Reads a parsed `usage` value. Embeddings have input only; elsewhere `completion_tokens` is required. */
export function mapUsage(endpoint: Endpoint, usage: unknown): UsageReading {
  if (usage === undefined || usage === null) return MISSING;
  const input = fieldsOf(usage);
  if (input === undefined) return { problem: typeof usage === 'object' ? 'malformed' : 'not_a_number' };
  const inputDetails = fieldsOf(input['prompt_tokens_details'] ?? {});
  const outputDetails = fieldsOf(input['completion_tokens_details'] ?? {});
  if (inputDetails === undefined || outputDetails === undefined) return { problem: 'malformed' };

  const counts = {
    total: input['total_tokens'] ?? 0,
    prompt: input['prompt_tokens'],
    completion: endpoint === 'embeddings' ? (input['completion_tokens'] ?? 0) : input['completion_tokens'],
    cached: inputDetails['cached_tokens'] ?? 0,
    cacheWrite: inputDetails['cache_write_tokens'] ?? 0,
    reasoning: outputDetails['reasoning_tokens'] ?? 0,
  };
  for (const count of Object.values(counts)) {
    const problem = findProblem(count);
    if (problem !== undefined) return { problem };
  }
  return toDisjoint(counts as Counts);
}

interface Counts {
  readonly total: number;
  readonly prompt: number;
  readonly completion: number;
  readonly cached: number;
  readonly cacheWrite: number;
  readonly reasoning: number;
}

function toDisjoint(counts: Counts): UsageReading {
  const { total, prompt, completion, cached, cacheWrite, reasoning } = counts;
  // Some servers count reasoning beside the completion and only the total tells. A total that nothing explains means
  // tokens that no count has, and those would be given away.
  const isReasoningApart = reasoning > 0 && total === prompt + completion + reasoning;
  if (total > prompt + completion && !isReasoningApart) return { problem: 'malformed' };
  const inputTokens = prompt - cached - cacheWrite;
  const outputTokens = isReasoningApart ? completion : completion - reasoning;
  if (inputTokens < 0 || outputTokens < 0) return { problem: 'malformed' };
  return {
    usage: {
      inputTokens,
      cachedInputTokens: cached,
      cacheWriteTokens: cacheWrite,
      outputTokens,
      reasoningTokens: reasoning,
    },
  };
}

function findProblem(count: unknown): UsageProblem | undefined {
  if (count === undefined || count === null) return 'missing';
  if (typeof count !== 'number') return 'not_a_number';
  if (!Number.isFinite(count)) return 'not_finite';
  if (count < 0) return 'negative';
  return Number.isSafeInteger(count) ? undefined : 'malformed';
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

/** Valid JSON that the strict scan refuses, since two parsers may read it differently. */
const AMBIGUOUS: ReadonlySet<JsonRefusalReason> = new Set<JsonRefusalReason>([
  'duplicate_key',
  'forbidden_key',
  'lone_surrogate',
  'too_deep',
  'too_many_keys',
]);

const MISSING: UsageReading = { problem: 'missing' };
