/**
 * Responsible for reading Gemini's `usageMetadata` into disjoint classes of tokens. `promptTokenCount` counts cached
 * tokens too; what tools read comes beside the prompt, and thoughts beside the candidates: `totalTokenCount` is the sum of
 * those four (`UsageMetadata` in Google's own client, `@google/genai`). A count of zero is left out on the wire, so it is
 * the total that tells zero from unknown. Modalities (`promptTokensDetails` and the like) have no prices of their own.
 */
import { JsonRefusal, type JsonObjectScan, scanJsonObject } from '../../kernel/json-scan.ts';
import { mayHaveValue } from '../event-stream.ts';
import type { Endpoint, ReportedUsage, UsageReading } from '../provider.ts';
import {
  fieldsOf,
  findCountProblem,
  problemOfRefusal,
  readUsageObject,
  USAGE_MISSING,
} from '../strict-usage.ts';

/** Reads the usage of a complete body that was not streamed. Counting tokens uses none. */
export function readBodyUsage(endpoint: Endpoint, body: Buffer): UsageReading {
  const scan = scanJsonObject(body);
  if (scan instanceof JsonRefusal) return { problem: problemOfRefusal(scan) };
  if (endpoint === 'countTokens') return { usage: NOTHING };
  const span = scan.field('usageMetadata');
  if (span === undefined) return USAGE_MISSING;
  if (EMBEDS.has(endpoint)) return mapEmbeddingUsage(scan.readJson(span));
  const reading = mapUsage(scan.readJson(span));
  return hasSearched(scan) ? chargeSearches(reading) : reading;
}

/** Reads a parsed `usageMetadata` value of generated content. */
export function mapUsage(usage: unknown): UsageReading {
  const input = readUsageObject(usage);
  if (typeof input === 'string') return { problem: input };
  const counts = {
    prompt: input['promptTokenCount'],
    total: input['totalTokenCount'],
    cached: input['cachedContentTokenCount'] ?? 0,
    toolUse: input['toolUsePromptTokenCount'] ?? 0,
    candidates: input['candidatesTokenCount'] ?? 0,
    thoughts: input['thoughtsTokenCount'] ?? 0,
  };
  const problem = findCountProblem(counts);
  if (problem !== undefined) return { problem };
  const { prompt, total, cached, toolUse, candidates, thoughts } = counts as Counts;
  // Any other total means tokens that no count has, or counts that no total has.
  if (total !== prompt + toolUse + candidates + thoughts || cached > prompt) return { problem: 'malformed' };
  const mapped = {
    inputTokens: prompt - cached + toolUse,
    cachedInputTokens: cached,
    cacheWriteTokens: 0,
    outputTokens: candidates,
    reasoningTokens: thoughts,
  };
  return isPlainTier(input['serviceTier'])
    ? { usage: mapped }
    : { usage: mapped, unpriced: ['priority_tier'] };
}

/** True for `groundingMetadata` of an answer that took searches, which are charged by the piece. */
export function tookSearches(grounding: unknown): boolean {
  const fields = fieldsOf(grounding) ?? {};
  const chunks = fields['groundingChunks'];
  return (
    SEARCHES.some((field) => Array.isArray(fields[field]) && fields[field].length > 0) ||
    (Array.isArray(chunks) && chunks.some((chunk) => fieldsOf(chunk)?.['maps'] !== undefined))
  );
}

export function chargeSearches(reading: UsageReading): UsageReading {
  return 'problem' in reading
    ? reading
    : { ...reading, unpriced: ['web_search', ...(reading.unpriced ?? [])] };
}

interface Counts {
  readonly prompt: number;
  readonly total: number;
  readonly cached: number;
  readonly toolUse: number;
  readonly candidates: number;
  readonly thoughts: number;
}

/** `EmbeddingUsageMetadata`: the prompt alone. Older models report nothing. */
function mapEmbeddingUsage(usage: unknown): UsageReading {
  const input = readUsageObject(usage);
  if (typeof input === 'string') return { problem: input };
  const prompt = input['promptTokenCount'];
  const total = input['totalTokenCount'] ?? prompt;
  const problem = findCountProblem({ prompt, total });
  if (problem !== undefined) return { problem };
  return total === prompt
    ? { usage: { ...NOTHING, inputTokens: prompt as number } }
    : { problem: 'malformed' };
}

/** Looks without parsing first: an answer may hold pictures. */
function hasSearched(scan: JsonObjectScan): boolean {
  if (!mayHaveValue(scan.body, GROUNDING_KEY)) return false;
  const span = scan.field('candidates');
  const candidates: unknown = span === undefined ? undefined : scan.readJson(span);
  return (
    Array.isArray(candidates) &&
    candidates.some((candidate) => tookSearches(fieldsOf(candidate)?.['groundingMetadata']))
  );
}

/** What the call was served at. Flex costs less than the standard price, everything unknown may cost more. */
function isPlainTier(tier: unknown): boolean {
  if (tier === undefined || tier === null) return true;
  return typeof tier === 'string' && PLAIN_TIER.test(tier);
}

const EMBEDS: ReadonlySet<Endpoint> = new Set<Endpoint>(['embedContent', 'batchEmbedContents']);
const PLAIN_TIER = /^(?:SERVICE_TIER_)?(?:UNSPECIFIED|STANDARD|FLEX)$/i;
const SEARCHES = ['webSearchQueries', 'imageSearchQueries'] as const;
const GROUNDING_KEY = Buffer.from('"groundingMetadata"');

const NOTHING: ReportedUsage = {
  inputTokens: 0,
  cachedInputTokens: 0,
  cacheWriteTokens: 0,
  outputTokens: 0,
  reasoningTokens: 0,
};
